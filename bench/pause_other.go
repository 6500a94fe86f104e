//go:build !unix

package main

import "time"

// Elsewhere the peer's threads go to sleep by themselves, if late.
func (p *peer) pause()  {}
func (p *peer) resume() {}

var started = time.Now()

// processorTime is the clock's where the system does not say more.
func processorTime() time.Duration { return time.Since(started) }
