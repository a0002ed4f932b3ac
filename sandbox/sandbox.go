// Package sandbox is a small server that plays Tencent's Live callback-configuration API, stricter than the real thing.
//
// It holds, for each app, the callback and the token, checks UserSigs with Tencent's own module, and answers with the
// documented codes, always as HTTP 200. A second listener scripts faults, changes a callback behind the console's
// back, and shows a journal of every request. Both listeners and all deliveries stay on loopback.
// What the documents leave open is decided here and said at the place where it is decided.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// defaultRate is the documented limit of every command of the family, in calls a second.
const defaultRate = 200

// App is one Tencent application as the sandbox knows it.
type App struct {
	SDKAppID int64    // number of the app, above 0
	Key      string   // secret key that UserSigs are made with
	Admins   []string // identifiers that may call the API; others are refused with 60010
	Site     string   // "" = any; else it must equal Options.Site, or every call is refused with 60026
}

// Callback is the callback configuration of one app, in the field names of documents 647/64418 to 64420.
type Callback struct {
	Url                 string   `json:"Url"`
	CallbackCommandList []string `json:"CallbackCommandList"`
}

// Token is the signing token of one app, in the field names of document 647/69528.
type Token struct {
	Token         string `json:"Token"`
	IsTokenEnable bool   `json:"IsTokenEnable"`
}

// Options says how a Server behaves. The zero value is a sandbox without apps, in memory only.
type Options struct {
	Apps []App
	Site string // the site this server plays; compared with App.Site

	// File keeps callbacks and tokens: it is written and synced before each answer that follows a change, and loaded by
	// New. Apps and keys are not in it. "" means memory only.
	File string

	RatePerSecond   int              // admitted calls per command in any sliding second; 0 means 200; 60007 above
	DeleteMissing   string           // what a delete of nothing answers: "ok" (default) or "error"; the documents do not say
	ActivationDelay time.Duration    // how long after a change deliveries still go to the former address; default 0
	Now             func() time.Time // the clock; default time.Now
}

// Server plays the API. Its methods are safe for concurrent use.
type Server struct {
	options  Options
	site     string
	rate     int
	now      func() time.Time
	delivery *http.Client
	closing  chan struct{}
	sequence atomic.Int64
	rename   func(from, to string) error

	mu       sync.Mutex
	apps     map[int64]App
	states   map[int64]appState
	calls    map[string][]time.Time
	failures map[int64]signatureFailures
	faults   []*scripted
	gates    map[string]*gate
	journal  []*Entry
	changed  chan struct{}
	lost     error

	run running
}

// running is what Start made; it has its own lock, as Close waits for handlers that need the other one.
type running struct {
	mu         sync.Mutex
	closed     bool
	servers    []*http.Server
	apiURL     string
	controlURL string
	serving    sync.WaitGroup
}

// New makes a server from the options and loads Options.File when it exists. It fails when an option makes no sense,
// an app is not valid or given twice, or the file cannot be read and written.
func New(options Options) (*Server, error) {
	if err := checkOptions(options); err != nil {
		return nil, err
	}
	s := &Server{
		options:  options,
		site:     options.Site,
		rate:     options.RatePerSecond,
		now:      options.Now,
		closing:  make(chan struct{}),
		rename:   renameFile,
		apps:     map[int64]App{},
		states:   map[int64]appState{},
		calls:    map[string][]time.Time{},
		failures: map[int64]signatureFailures{},
		gates:    map[string]*gate{},
		changed:  make(chan struct{}),
	}
	if s.rate == 0 {
		s.rate = defaultRate
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.delivery = loopbackClient()
	if err := s.addApps(options.Apps); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	return s, nil
}

func checkOptions(options Options) error {
	if options.RatePerSecond < 0 {
		return errors.New("sandbox: the rate per second is below 0")
	}
	if options.ActivationDelay < 0 {
		return errors.New("sandbox: the activation delay is below 0")
	}
	if !slices.Contains([]string{"", "ok", "error"}, options.DeleteMissing) {
		return errors.New(`sandbox: DeleteMissing is neither "ok" nor "error"`)
	}
	return nil
}

func (s *Server) addApps(apps []App) error {
	for _, app := range apps {
		if _, known := s.apps[app.SDKAppID]; known {
			return fmt.Errorf("sandbox: app %d is given twice", app.SDKAppID)
		}
		if err := s.AddApp(app); err != nil {
			return err
		}
	}
	return nil
}

// AddApp adds an app, or replaces key, admins and site of a known one. Callback and token of that number stay as they
// are. It fails when the number is not above 0 or the key is empty.
func (s *Server) AddApp(app App) error {
	if app.SDKAppID <= 0 {
		return errors.New("sandbox: an app's SDKAppID must be above 0")
	}
	if app.Key == "" {
		return fmt.Errorf("sandbox: app %d has no key", app.SDKAppID)
	}
	app.Admins = slices.Clone(app.Admins)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps[app.SDKAppID] = app
	return nil
}

// SetCallback changes the callback of an app behind the console's back; nil means none. It is no request: the journal
// does not show it. When Options.File cannot be written, the change holds in memory and Close returns the error.
func (s *Server) SetCallback(sdkappid int64, cb *Callback) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(s.change(sdkappid, func(state *appState) { s.replaceCallback(state, cloneCallback(cb)) }))
}

// Callback returns what the app has, and false when it has none.
func (s *Server) Callback(sdkappid int64) (Callback, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cb := cloneCallback(s.states[sdkappid].Callback)
	if cb == nil {
		return Callback{}, false
	}
	return *cb, true
}

// SetToken changes the token of an app behind the console's back; nil means none. Errors are kept as in SetCallback.
func (s *Server) SetToken(sdkappid int64, t *Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(s.change(sdkappid, func(state *appState) { state.Token = cloneToken(t) }))
}

// Token returns the app's token, and false when it has none.
func (s *Server) Token(sdkappid int64) (Token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := s.states[sdkappid].Token
	if token == nil {
		return Token{}, false
	}
	return *token, true
}

func (s *Server) keep(err error) {
	if err != nil && s.lost == nil {
		s.lost = err
	}
}

// Start listens on both addresses and serves until Close. An address is a loopback IP address or "localhost" with a
// port, 0 for a free one; anything else is refused, so that the sandbox is never reachable from outside. A server
// starts once.
func (s *Server) Start(apiAddr, controlAddr string) error {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	if s.run.closed {
		return errors.New("sandbox: the server is closed")
	}
	if s.run.servers != nil {
		return errors.New("sandbox: the server has been started already")
	}
	api, err := listenLoopback(apiAddr)
	if err != nil {
		return err
	}
	control, err := listenLoopback(controlAddr)
	if err != nil {
		return errors.Join(err, api.Close())
	}
	s.run.apiURL = "http://" + api.Addr().String()
	s.run.controlURL = "http://" + control.Addr().String()
	s.serve(api, s.API())
	s.serve(control, s.Control())
	return nil
}

// serve has no write timeout: a scripted delay may be longer than any.
func (s *Server) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	s.run.servers = append(s.run.servers, server)
	s.run.serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.mu.Lock()
			s.keep(fmt.Errorf("sandbox: serve: %w", err))
			s.mu.Unlock()
		}
	})
}

// APIURL is the address of the played API, such as "http://127.0.0.1:40001"; "" before Start.
func (s *Server) APIURL() string {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	return s.run.apiURL
}

// ControlURL is the address of the controls; "" before Start.
func (s *Server) ControlURL() string {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	return s.run.controlURL
}

// Close ends both listeners. Requests that wait for a delay or a gate are dropped and not applied; the others are
// waited for until the context ends, then cut. It returns the first error that had nowhere else to go, and may be
// called again.
func (s *Server) Close(ctx context.Context) error {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	if !s.run.closed {
		s.run.closed = true
		close(s.closing)
	}
	var errs []error
	for _, server := range s.run.servers {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("sandbox: stop: %w", err), server.Close())
		}
	}
	s.run.serving.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(append(errs, s.lost)...)
}
