package store_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"callboard/store"
	"callboard/store/storetest"
)

// TestACommittedWriteDoesNotWaitForTheNext has another write begin just behind one, and last until that one is answered.
func TestACommittedWriteDoesNotWaitForTheNext(t *testing.T) {
	db := storetest.SQLite(t)
	f := newFixture(t, db)
	p := f.plan("p", confB)
	var other *store.Store
	answered, ended := make(chan struct{}), make(chan struct{})
	behind := func(point string) {
		if point != store.PointIntentInserted {
			return
		}
		writer := store.WriterOf(other)
		waiting := writer.Stats().WaitCount
		go func() {
			defer close(ended)
			if c, err := writer.Conn(t.Context()); err == nil {
				<-answered
				_ = c.Close()
			}
		}()
		for writer.Stats().WaitCount == waiting {
			runtime.Gosched()
		}
	}
	other, err := store.Open(ctx(t), store.Options{Database: db.Address, Keys: db.Keys, Reached: behind})
	f.must(err)
	store.SetWriteLimit(t, time.Hour) // whoever waits for the next write does not come back
	patient, cancel := context.WithTimeout(ctx(t), time.Minute)
	defer cancel()
	_, made, err := other.OpenChange(patient, mei, intent(p, 7))
	if err != nil || !made || patient.Err() != nil {
		t.Errorf("a write: %t, %v, %v", made, err, patient.Err())
	}
	close(answered)
	<-ended
	f.must(other.Close())
}
