package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fault is a scripted misbehaviour. It is looked up when a POST to one of the seven commands arrives, before any check;
// its parts can be combined. The order is: checks, delay, gate, apply, answer.
type Fault struct {
	SDKAppID    int64         // the app it is for; 0 = any
	Command     string        // the API command it is for, such as "update_callback"; "" = any
	Times       int           // how many requests it is for; 0 = 1, -1 = always
	Delay       time.Duration // wait after the checks, before applying; the command is applied even if the client has left
	Status      int           // HTTP status, 200 to 599, with an HTML page unless Body is set; not applied unless Apply says so
	Body        string        // answer exactly this, whatever the verdict
	CutAt       int           // above 0: announce the whole length, close the connection after so many bytes of the body
	Drop        string        // "before" or "after" applying: close the connection without an answer
	Reset       bool          // with Drop: end the connection with a TCP reset
	Code        int64         // answer FAIL with this ErrorCode, whatever the checks say; not applied unless Apply says so
	Info        string        // ErrorInfo for Code
	NoRequestID bool          // leave RequestId out of the answer
	Gate        string        // wait for Release of this name, after Delay
	Apply       string        // "yes" or "no" overrules whether a request that passed the checks is applied; "" as said above
}

// scripted is a fault in the list, with the gate as it was when the fault was scripted.
type scripted struct {
	Fault
	left int
	gate *gate
}

// gate is open once released is closed.
type gate struct {
	released chan struct{}
	waiting  int
}

func (g *gate) open() bool {
	select {
	case <-g.released:
		return true
	default:
		return false
	}
}

// Check says in a sentence what makes no sense in the fault; nil when Script takes it.
func (f Fault) Check() error {
	switch {
	case f.SDKAppID < 0:
		return errors.New("sandbox: the fault's SDKAppID is below 0")
	case f.Command != "" && commandNamed(f.Command) == nil:
		return fmt.Errorf("sandbox: the fault's command %q is none of the seven", f.Command)
	case f.Times < -1:
		return errors.New("sandbox: the fault's times is below -1")
	case f.Delay < 0:
		return errors.New("sandbox: the fault's delay is below 0")
	case f.Status != 0 && (f.Status < 200 || f.Status > 599 || f.Status == 204 || f.Status == 304):
		return errors.New("sandbox: the fault's status is not one between 200 and 599 that has a body")
	case f.CutAt < 0:
		return errors.New("sandbox: the fault's cut is below 0")
	}
	return f.checkWords()
}

func (f Fault) checkWords() error {
	switch {
	case !slices.Contains([]string{"", "before", "after"}, f.Drop):
		return errors.New(`sandbox: the fault's drop is neither "before" nor "after"`)
	case !slices.Contains([]string{"", "yes", "no"}, f.Apply):
		return errors.New(`sandbox: the fault's apply is neither "yes" nor "no"`)
	case f.Reset && f.Drop == "":
		return errors.New("sandbox: the fault resets without a drop")
	case f.Drop == "before" && f.Apply == "yes":
		return errors.New("sandbox: the fault drops before applying and applies")
	case f.Info != "" && f.Code == 0:
		return errors.New("sandbox: the fault has an info without a code")
	}
	return nil
}

// Script appends a fault to the list. A request takes the first fault that matches it, and uses it up after Times
// requests. A gate that was released before is shut again. A fault that fails Check is a programmer's error and panics.
func (s *Server) Script(f Fault) {
	if err := f.Check(); err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	added := &scripted{Fault: f, left: max(f.Times, 1)}
	if f.Gate != "" {
		added.gate = s.shutGate(f.Gate)
	}
	s.faults = append(s.faults, added)
}

func (s *Server) shutGate(name string) *gate {
	g := s.gates[name]
	if g == nil || g.open() {
		g = &gate{released: make(chan struct{})}
		s.gates[name] = g
	}
	return g
}

// ClearFaults empties the list. Requests that already took a fault keep it; one that waits at a gate needs Release.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Release lets the requests pass that wait at the gate, and those that still come with a fault scripted before now.
// A name that no fault has had is ignored.
func (s *Server) Release(gate string) { s.release(gate) }

func (s *Server) release(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gates[name]
	if g == nil {
		return false
	}
	if !g.open() {
		close(g.released)
	}
	return true
}

// AwaitGate returns when at least n requests wait at the gate, or with the context's error.
func (s *Server) AwaitGate(ctx context.Context, gate string, n int) error {
	return s.await(ctx, func() bool { return s.gates[gate] != nil && s.gates[gate].waiting >= n })
}

func (s *Server) waitingAt(name string) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gates[name]
	if g == nil {
		return 0, false
	}
	return g.waiting, true
}

// await needs done to look at what s.mu guards only.
func (s *Server) await(ctx context.Context, done func() bool) error {
	for {
		s.mu.Lock()
		finished, changed := done(), s.changed
		s.mu.Unlock()
		if finished {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// announce wakes everybody in await; s.mu is held.
func (s *Server) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// takeFault returns the fault for a request, or an empty one.
func (s *Server) takeFault(sdkappid int64, command string) *scripted {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !f.matches(sdkappid, command) {
			continue
		}
		if f.Times != -1 {
			f.left--
		}
		if f.left == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return f
	}
	return &scripted{}
}

func (f Fault) matches(sdkappid int64, command string) bool {
	return (f.SDKAppID == 0 || f.SDKAppID == sdkappid) && (f.Command == "" || f.Command == command)
}

// applies tells whether a request that passed the checks is carried out under this fault.
func (f Fault) applies() bool {
	if f.Drop == "before" {
		return false
	}
	if f.Apply != "" {
		return f.Apply == "yes"
	}
	return f.Status == 0 && f.Code == 0
}

// hold waits for the delay, then for the gate. It is false when the server was closed meanwhile. A client that leaves
// changes nothing: the request has arrived.
func (s *Server) hold(f *scripted) bool {
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.closing:
			return false
		}
	}
	if f.gate == nil {
		return true
	}
	s.count(f.gate, 1)
	defer s.count(f.gate, -1)
	select {
	case <-f.gate.released:
		return true
	case <-s.closing:
		return false
	}
}

func (s *Server) count(g *gate, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.waiting += by
	s.announce()
}

// String names the parts that are set, for the journal; "" for a fault that does nothing.
func (f Fault) String() string {
	var parts []string
	add := func(set bool, format string, args ...any) {
		if set {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(f.Delay > 0, "delay %s", f.Delay)
	add(f.Gate != "", "gate %s", f.Gate)
	add(f.Status != 0, "status %d", f.Status)
	add(f.Code != 0, "code %d", f.Code)
	add(f.Body != "", "body")
	add(f.CutAt > 0, "cut at %d", f.CutAt)
	add(f.Drop != "", "drop %s applying", f.Drop)
	add(f.Reset, "reset")
	add(f.NoRequestID, "no RequestId")
	add(f.Apply != "", "apply %s", f.Apply)
	return strings.Join(parts, ", ")
}
