//go:build !unix

package main

// Elsewhere the peer's threads go to sleep by themselves, if late.
func (p *peer) pause()  {}
func (p *peer) resume() {}
