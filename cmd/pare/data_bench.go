package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"pare/dataset"
	"pare/report"

	"github.com/spf13/cobra"
)

func (c *cli) benchData() *cobra.Command {
	var batch, seconds int
	cmd := &cobra.Command{Use: "bench SPEC", Short: "Measure how many samples a second training would get, were it no work itself", Args: args("SPEC"),
		Long: "Reads the training set (or else the one to measure on) in the order of training, batch by batch, for an epoch or as long\nas --seconds. What training itself waited for data is told after each of its epochs.",
		Example: `  pare data bench npz:shards --data-memory 256M

` + dataset.Help,
		RunE: func(cmd *cobra.Command, a []string) error {
			if err := cmp.Or(atLeast(1, "batch", batch), atLeast(1, "seconds", seconds)); err != nil {
				return err
			}
			d, err := c.open(a[0])
			if err != nil {
				return err
			}
			r, err := readRate(c.ctx, d, batch, c.threads, time.Duration(seconds)*time.Second)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(r)
			}
			r.print(c)
			return nil
		}}
	cmd.Flags().IntVar(&batch, "batch", 64, "samples of a batch")
	cmd.Flags().IntVar(&seconds, "seconds", 60, "longest time to read")
	c.dataMemory(cmd)
	inSections(cmd)
	return cmd
}

// reading is how fast samples were read.
type reading struct {
	Set       string  `json:"set"`
	Samples   int     `json:"samples"` // of the set
	Streamed  bool    `json:"streamed"`
	Shuffling string  `json:"shuffling,omitempty"`
	Read      int     `json:"read"`    // samples
	Seconds   float64 `json:"seconds"` // that took
	Rate      float64 `json:"rate"`    // samples a second
	Bytes     float64 `json:"bytes"`   // of batches, a second
	First     float64 `json:"first"`   // seconds until the first batch
}

// readRate reads batches as training does.
func readRate(ctx context.Context, d *dataset.Data, batch, threads int, most time.Duration) (*reading, error) {
	s := d.Train
	if s == nil {
		s = d.Eval()
	}
	batch = min(batch, s.Len())
	a := dataset.NewAheadContext(ctx, &dataset.Loader{Set: s, Size: batch, Norm: d.Norm, Shuffle: true, Seed: 1, Threads: threads, Augment: dataset.Augment{Data: true}})
	defer a.Close()
	var to []dataset.Buffer
	each := 0
	for k, f := range s.Fields {
		b := dataset.Buffer{Field: k}
		if f.Ints != nil {
			b.I = make([]int64, batch*f.Size())
		} else {
			b.X = make([]float32, batch*f.Size())
		}
		each += 8*len(b.I) + 4*len(b.X)
		to = append(to, b)
	}
	r := &reading{Set: s.Name, Samples: s.Len(), Streamed: s.Stream != nil, Shuffling: s.Shuffling()}
	began := time.Now()
	for i := 0; i < a.Steps() && time.Since(began) < most; i++ {
		n, err := a.Fill(0, i, to)
		if err != nil {
			return nil, err
		}
		if r.Read += n; i == 0 {
			r.First = time.Since(began).Seconds()
		}
	}
	r.Seconds = time.Since(began).Seconds()
	r.Rate = float64(r.Read) / r.Seconds
	r.Bytes = r.Rate * float64(each) / float64(batch)
	return r, nil
}

func (r *reading) print(c *cli) {
	how := "from memory"
	if r.Streamed {
		how = "streamed, shuffled as a whole"
		if r.Shuffling != "" {
			how = "streamed, shuffled by " + r.Shuffling
		}
	}
	fmt.Fprintf(c.out, "the %s set of %s samples, %s\n", r.Set, report.Count(int64(r.Samples)).Text, how)
	fmt.Fprintf(c.out, "%s samples in %.2f s: %s a second, batches of %s a second; the first after %.3f s\n",
		report.Count(int64(r.Read)).Text, r.Seconds, report.Count(int64(r.Rate)).Text, report.Bytes(int64(r.Bytes)).Text, r.First)
}
