//go:build !unix

package hostile

import "time"

var began = time.Now()

// processor is the time since the process began.
func processor() time.Duration { return time.Since(began) }
