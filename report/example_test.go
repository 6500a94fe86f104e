package report_test

import (
	"os"

	"pare/report"
)

func ExampleReport() {
	r := &report.Report{Title: "Pruned"}
	r.Add(report.Section{Heading: "Accuracy", Table: &report.Table{
		Columns: []string{"network", "accuracy", "size"},
		Rows: [][]report.Cell{
			{report.Text("dense"), report.Percent(.9173), report.Bytes(1_080_000)},
			{report.Text("pruned"), report.Percent(.9150), report.Bytes(220_000)},
		}}})
	if err := r.Markdown(os.Stdout, "", nil); err != nil {
		panic(err)
	}
	// Output:
	// # Pruned
	//
	// ## Accuracy
	//
	// | network | accuracy | size |
	// |---|---:|---:|
	// | dense | 91.73 % | 1.08 MB |
	// | pruned | 91.50 % | 220 kB |
}
