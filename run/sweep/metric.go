package sweep

import (
	"fmt"
	"math"

	"pare/report"
)

// cell is a value of the metric in a table.
func (m Metric) cell(x float64) report.Cell {
	if m.Percent {
		return report.Percent(x)
	}
	return report.Number(x)
}

// show writes a value of the metric.
func (m Metric) show(x float64) string {
	if math.IsNaN(x) {
		return "nothing"
	}
	return m.cell(x).Text
}

// spread writes a mean with its standard deviation, where there is one.
func (m Metric) spread(x, sd float64, n int) report.Cell {
	c := m.cell(x)
	if n < 2 || math.IsNaN(x) || math.IsNaN(sd) {
		return c
	}
	if m.Percent {
		c.Text = fmt.Sprintf("%.2f ± %.2f %%", 100*x, 100*sd)
		return c
	}
	c.Text += " ± " + report.Number(sd).Text
	return c
}
