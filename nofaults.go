//go:build !faults

package main

// reached is told the points of an apply that are passed; only a test build has something to do there.
var reached func(point string)
