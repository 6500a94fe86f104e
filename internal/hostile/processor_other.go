//go:build !unix

package hostile

import "time"

var began = time.Now()

// Processor is the time since the process began.
func Processor() time.Duration { return time.Since(began) }
