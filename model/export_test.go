package model

import "time"

// SetCommandTime changes how long a command may take, until restore.
func SetCommandTime(d time.Duration) (restore func()) {
	was := commandTime
	commandTime = d
	return func() { commandTime = was }
}
