package reproduce

import (
	"context"
	"fmt"
	"os"
	"testing"
)

func TestTry(t *testing.T) {
	name := os.Getenv("TRY")
	if name == "" {
		t.Skip()
	}
	r, err := Find(name).Try(context.Background(), 1, 4, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(r.Seconds)
	for k, v := range r.Values {
		fmt.Printf("%-40s %.4f  %.3f\n", k, r.Values.Mean(k), v)
	}
	for _, c := range r.Claims {
		fmt.Println(c.Holds, c.Text, c.Measured, c.Needed, c.Without)
	}
}
