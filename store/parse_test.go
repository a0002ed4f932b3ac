package store_test

import (
	"testing"
	"time"

	"callboard/store"
	"callboard/store/storetest"
)

// TestACommittedWriteDoesNotWaitForTheNext has another write begin just behind one, and last.
func TestACommittedWriteDoesNotWaitForTheNext(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		p := f.plan("p", confB)
		var other *store.Store
		ended := make(chan struct{})
		behind := func(point string) {
			if point != store.PointIntentInserted {
				return
			}
			writer := store.WriterOf(other)
			waiting := writer.Stats().WaitCount
			go func() {
				defer close(ended)
				if c, err := writer.Conn(t.Context()); err == nil {
					time.Sleep(2 * time.Second)
					_ = c.Close()
				}
			}()
			for db.Name == "sqlite" && writer.Stats().WaitCount == waiting {
				time.Sleep(time.Millisecond)
			}
		}
		other, err := store.Open(ctx(t), store.Options{Database: db.Address, Keys: db.Keys, Reached: behind})
		f.must(err)
		begun := time.Now()
		_, made, err := other.OpenChange(ctx(t), mei, intent(p, 7))
		if took := time.Since(begun); err != nil || !made || took > time.Second {
			t.Errorf("a write took %v: %t, %v", took, made, err)
		}
		<-ended
		f.must(other.Close())
	})
}
