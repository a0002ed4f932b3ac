package handlers

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"callboard/store"
)

// someCounts are told apart by one number.
func someCounts(n int) store.Counts { return store.Counts{All: store.Count{N: n}} }

// TestCountsAreCountedByOne has one ask, and others who go away while it is counted.
func TestCountsAreCountedByOne(t *testing.T) {
	fault := errors.New("no database")
	cases := []struct {
		name    string
		age     time.Duration // of what is kept; 0: nothing is
		counted int32
		fault   error // of counting
		want    int   // what the first gets
		err     error
		left    error // what those get who go away
	}{
		{"nothing is kept", 0, 1, nil, 2, nil, context.Canceled},
		{"nothing is kept, and counting fails", 0, 1, fault, 2, fault, context.Canceled},
		{"fresh", countsFresh / 2, 0, nil, 1, nil, nil},
		{"counted anew before it is too old", (countsFresh + countsLife) / 2, 1, nil, 1, nil, nil},
		{"an old one while counting fails", (countsFresh + countsLife) / 2, 1, fault, 1, nil, nil},
		{"too old", countsLife + time.Second, 1, nil, 2, nil, context.Canceled},
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var k countCache
			if c.age != 0 {
				k.keep("q", keptCounts{time.Now().Add(-c.age), someCounts(1)})
			}
			var counted atomic.Int32
			begun, goOn := make(chan struct{}, 30), make(chan struct{})
			count := func(ctx context.Context) (store.Counts, error) {
				counted.Add(1)
				begun <- struct{}{}
				<-goOn
				return someCounts(2), errors.Join(c.fault, ctx.Err())
			}
			type answer struct {
				n   store.Counts
				err error
			}
			first := make(chan answer, 1)
			asking, stop := context.WithCancel(t.Context())
			defer stop()
			go func() {
				n, err := k.of(asking, "q", count)
				first <- answer{n, err}
			}()
			if c.counted > 0 {
				<-begun
			}
			for range 20 {
				if _, err := k.of(left, "q", count); !errors.Is(err, c.left) {
					t.Errorf("somebody who went away: %v, want %v", err, c.left)
				}
			}
			close(goOn)
			if got := <-first; got.n != someCounts(c.want) || !errors.Is(got.err, c.err) {
				t.Errorf("got %+v, %v; want %d, %v", got.n, got.err, c.want, c.err)
			}
			if n := counted.Load(); n != c.counted {
				t.Errorf("counted %d times, want %d", n, c.counted)
			}
		})
	}
}
