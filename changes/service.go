// Package changes is what the console does: it reads what Tencent has, plans a change, carries it out with the intent
// written first, and finds out how it ended. It says what happened as kinds with arguments; sentences are made elsewhere.
package changes

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"time"

	"callboard/store"
	"callboard/tencent"
)

// Limits in time, in one place. Lease and Grace are options because tests cannot wait for them.
const (
	// formWait is how long a page waits for Tencent before it shows the last reading.
	formWait = 4 * time.Second
	// compareWait is how long the read just before writing may take.
	compareWait = 5 * time.Second
	// writeDeadline is how long one writing call may take; Tencent's own limit is 3 s.
	writeDeadline = 10 * time.Second
	// resultWait is how long an apply waits for its outcome before the page shows it as pending.
	resultWait = 5 * time.Second
	// hostRest is how long pages do not wait for a host whose last read got no answer.
	hostRest = 30 * time.Second
	// PlanLife is how long a plan can be applied.
	PlanLife = 7 * 24 * time.Hour
	// InEffect is when Tencent's console says a changed URL is in effect; unverified for this API.
	InEffect = 2 * time.Minute
)

const (
	defaultLease = 20 * time.Second
	defaultGrace = 30 * time.Second
)

// Kinds of errors, beside those of package store.
var (
	// ErrPlanGone says that there is no such plan for this app, or that it has expired.
	ErrPlanGone = errors.New("no such plan")
	// ErrNothing says that the plan changes nothing, so that there is nothing to send.
	ErrNothing = errors.New("nothing to send")
	// ErrNoRegion says that the app's region is not among the known ones any more.
	ErrNoRegion = errors.New("the region is not known")
	// ErrNotOpen says that the change is settled already.
	ErrNotOpen = errors.New("the change is not open")
	// ErrStopping says that the process ends, so that it begins no change any more.
	ErrStopping = errors.New("the console is stopping")
	// ErrNoReading says that the app has to be read first, and that this failed.
	ErrNoReading = errors.New("the app could not be read")
)

// Options are what a Service needs.
type Options struct {
	Store   *store.Store
	Client  *tencent.Client
	Regions *tencent.Directory
	Log     *slog.Logger
	Clock   func() time.Time
	Lease   time.Duration // 0: 20 s
	Grace   time.Duration // 0: 30 s
	// WatchEvery is how often every app is read on its own; 0: never.
	WatchEvery time.Duration
	// Reached is told the name of every point of an apply that is passed, so that a test build can end the process
	// there. nil in every other build.
	Reached func(point string)
}

// Points of an apply, in order; between any two of them the process may die.
const (
	PointBeforeIntent     = "before_intent"
	PointIntentCommitted  = "intent_committed"
	PointBeforeDial       = "before_dial"
	PointAnswered         = "answered"
	PointOutcomeCommitted = "outcome_committed"
)

// Service carries out what people and the console itself want. It is safe for concurrent use and with several processes
// on one database.
type Service struct {
	store   *store.Store
	client  *tencent.Client
	regions *tencent.Directory
	log     *slog.Logger
	clock   func() time.Time
	lease   time.Duration
	grace   time.Duration

	watchEvery time.Duration
	reached    func(point string)
	// A short lease, as tests use it, shortens what has to fit into it.
	compareWait   time.Duration
	writeDeadline time.Duration

	wake    chan struct{}
	calls   calls
	life    context.Context
	end     context.CancelFunc
	resting hosts
}

// New makes a Service. Run must be running for changes to be settled; Close waits for those under way.
func New(o Options) *Service {
	s := &Service{store: o.Store, client: o.Client, regions: o.Regions, log: o.Log, clock: o.Clock, lease: o.Lease, grace: o.Grace, watchEvery: o.WatchEvery, reached: o.Reached, wake: make(chan struct{}, 1), calls: calls{idle: make(chan struct{})}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.reached == nil {
		s.reached = func(string) {}
	}
	if s.lease == 0 {
		s.lease = defaultLease
	}
	if s.grace == 0 {
		s.grace = defaultGrace
	}
	s.compareWait, s.writeDeadline = min(compareWait, s.lease/4), min(writeDeadline, s.lease/2)
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// Close lets no change begin any more and waits until every one under way has its outcome written, at most until ctx
// ends. What is left then is settled by the next process. It may be repeated.
func (s *Service) Close(ctx context.Context) {
	select {
	case <-s.calls.close():
	case <-ctx.Done():
	}
	s.end()
}

// calls counts the changes under way. A sync.WaitGroup would not do: requests that outlive the time they get when the
// program stops may still want to begin one while Close waits.
type calls struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{} // closed when nothing is under way and nothing can begin
}

// begin takes a place for one change; false: none begins any more.
func (c *calls) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.n++
	}
	return !c.closed
}

// end gives the place of a change back.
func (c *calls) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.closed && c.n == 0 {
		close(c.idle)
	}
}

// close lets nothing begin any more; what it returns is closed once nothing is under way.
func (c *calls) close() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && c.n == 0 {
		close(c.idle)
	}
	c.closed = true
	return c.idle
}

func (s *Service) now() int64 { return s.clock().UnixMilli() }

// poke lets the reconcile loop look at once.
func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// draw gives an attempt id: 32 random bits.
func draw() (uint32, error) {
	var b [4]byte
	_, err := rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:]), err
}

// planID gives an address that nobody can guess.
func planID() (string, error) {
	var b [12]byte
	_, err := rand.Read(b[:])
	return hex.EncodeToString(b[:]), err
}

// hosts remembers which API hosts did not answer lately.
type hosts struct {
	mu    sync.Mutex
	since map[string]time.Time
}

func (h *hosts) silent(host string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, ok := h.since[host]
	return ok && now.Sub(at) < hostRest
}

func (h *hosts) note(host string, answered bool, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if answered {
		delete(h.since, host)
		return
	}
	if h.since == nil {
		h.since = map[string]time.Time{}
	}
	h.since[host] = now
}
