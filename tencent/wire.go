package tencent

import (
	"context"
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errLate        = errors.New("the deadline had passed before the request could be written")
	errUnsolicited = errors.New("data came before anything was asked")
)

// attempt follows one call over the connections that the transport uses for it, and knows whether a byte of the
// request was written. It is also the gate: nothing is written once the call's time is over or the call has ended.
type attempt struct {
	ctx context.Context

	mu        sync.Mutex
	dialing   bool
	connected bool
	late      bool
	ended     bool
	cut       bool  // a connection ended while it was read
	writing   int   // writes that have begun and not returned
	written   int64 // bytes that went out
}

// trace ties the attempt to each connection that the transport picks for it.
func (a *attempt) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { a.noteDialing() },
		ConnectStart: func(string, string) { a.noteDialing() },
		GotConn: func(info httptrace.GotConnInfo) {
			w, ok := info.Conn.(*wire)
			if !ok {
				panic("tencent: a connection that does not count its bytes")
			}
			a.mu.Lock()
			a.connected = true
			a.mu.Unlock()
			w.current.Store(a)
		},
	}
}

func (a *attempt) noteDialing() {
	a.mu.Lock()
	a.dialing, a.connected = true, false
	a.mu.Unlock()
}

// begin asks for leave to write.
func (a *attempt) begin() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended || overdue(a.ctx) {
		a.late = true
		return errLate
	}
	a.writing++
	return nil
}

func (a *attempt) wrote(n int64) {
	a.mu.Lock()
	a.writing--
	a.written += n
	a.mu.Unlock()
}

func (a *attempt) hasWritten() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.written > 0 || a.writing > 0
}

func (a *attempt) noteCut() {
	a.mu.Lock()
	a.cut = true
	a.mu.Unlock()
}

func (a *attempt) wasCut() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cut
}

// finish closes the gate and says whether anything of the request was written. A write that is still under way
// counts: what becomes of it cannot be known.
func (a *attempt) finish() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	return a.written > 0 || a.writing > 0
}

// unsentFault says why nothing was written. Call it after finish.
func (a *attempt) unsentFault() Fault {
	a.mu.Lock()
	defer a.mu.Unlock()
	outOfTime := a.late || overdue(a.ctx)
	if outOfTime && (a.connected || !a.dialing) {
		return FaultLate
	}
	return FaultConnect
}

// overdue looks at the wall clock too: the clock behind contexts stands still while a machine sleeps.
func overdue(ctx context.Context) bool {
	if ctx.Err() != nil {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && (!time.Now().Before(deadline) || !time.Now().Round(0).Before(deadline.Round(0)))
}

// counted counts the bytes that the system took. Under TLS these are encrypted ones.
type counted struct {
	net.Conn
	out atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.out.Add(int64(n))
	return n, err
}

// wire is the connection the transport sees, above TLS where there is TLS. Handshake and closing messages do not
// pass through its Write, so what goes out during a Write belongs to a request.
type wire struct {
	net.Conn
	below   *counted
	current atomic.Pointer[attempt]
}

func (w *wire) Write(p []byte) (int, error) {
	a := w.current.Load()
	if a == nil {
		return 0, errLate
	}
	if err := a.begin(); err != nil {
		return 0, err
	}
	before := w.below.out.Load()
	n, err := w.Conn.Write(p)
	a.wrote(w.below.out.Load() - before)
	return n, err
}

// Read refuses data that comes before the current call has written anything: it can only be left over from the
// call before and must not be taken for this one's answer. It also notes that the other side has ended the
// connection, because the transport reports a cut first line as a malformed one.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	a := w.current.Load()
	switch {
	case n > 0 && (a == nil || !a.hasWritten()):
		return 0, errUnsolicited
	case n > 0:
		// An error that came along comes again at the next Read.
		return n, nil
	case a != nil && err != nil:
		a.noteCut()
	}
	return n, err
}
