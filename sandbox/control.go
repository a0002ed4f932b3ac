package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// usage is the page at the control listener's root.
const usage = `This is the control side of the sandbox that plays Tencent's Live callback API.
All bodies are JSON. {id} is an SDKAppID. Unknown fields are refused.

GET    /journal              every request to the API, oldest first
DELETE /journal              forget them
POST   /faults               append a fault; fields, all optional: sdkappid, command, times (0 = 1, -1 = always),
                             delay_ms, status, body, cut_at, drop ("before" or "after" applying), reset, code, info,
                             no_request_id, gate, apply ("yes" or "no")
DELETE /faults               empty the list of faults
GET    /apps/{id}/callback   what the app has: Url, CallbackCommandList
PUT    /apps/{id}/callback   change it behind the console's back
DELETE /apps/{id}/callback   remove it behind the console's back
GET    /apps/{id}/token      Token, IsTokenEnable
PUT    /apps/{id}/token      change it
DELETE /apps/{id}/token      remove it
PUT    /apps/{id}            add an app or replace its key, admins, site
POST   /apps/{id}/deliver    send an event to the callback address, loopback only; fields: command, body (may be left out)
GET    /gates/{name}         how many requests wait there
POST   /gates/{name}         let them pass
`

// faultJSON is Fault with the names and units of the control listener.
type faultJSON struct {
	SDKAppID    int64  `json:"sdkappid"`
	Command     string `json:"command"`
	Times       int    `json:"times"`
	DelayMS     int64  `json:"delay_ms"`
	Status      int    `json:"status"`
	Body        string `json:"body"`
	CutAt       int    `json:"cut_at"`
	Drop        string `json:"drop"`
	Reset       bool   `json:"reset"`
	Code        int64  `json:"code"`
	Info        string `json:"info"`
	NoRequestID bool   `json:"no_request_id"`
	Gate        string `json:"gate"`
	Apply       string `json:"apply"`
}

func (f faultJSON) fault() Fault {
	return Fault{
		SDKAppID: f.SDKAppID, Command: f.Command, Times: f.Times, Delay: time.Duration(f.DelayMS) * time.Millisecond,
		Status: f.Status, Body: f.Body, CutAt: f.CutAt, Drop: f.Drop, Reset: f.Reset, Code: f.Code, Info: f.Info,
		NoRequestID: f.NoRequestID, Gate: f.Gate, Apply: f.Apply,
	}
}

type appJSON struct {
	Key    string   `json:"key"`
	Admins []string `json:"admins"`
	Site   string   `json:"site"`
}

// callbackJSON and tokenJSON tell a field that was left out from an empty one.
type callbackJSON struct {
	Url                 *string  `json:"Url"`
	CallbackCommandList []string `json:"CallbackCommandList"`
}

type tokenJSON struct {
	Token         *string `json:"Token"`
	IsTokenEnable *bool   `json:"IsTokenEnable"`
}

type deliverJSON struct {
	Command string          `json:"command"`
	Body    json.RawMessage `json:"body"`
}

type deliveryJSON struct {
	Delivery
	ElapsedMS int64 `json:"elapsed_ms"`
}

// controlError is an answer of the control listener other than 2xx.
type controlError struct {
	status   int
	sentence string
}

func (e controlError) Error() string { return e.sentence }

// maxDelayMS keeps a delay within what a time.Duration holds.
const maxDelayMS = int64(24 * time.Hour / time.Millisecond)

// Control is the second listener's handler: the methods of Server as JSON over HTTP; GET / lists them in words.
// It takes requests for a loopback host only, and none that a browser sends from another site.
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, usage)
	})
	routes := map[string]func(*http.Request) (any, error){
		"GET /journal":               s.controlJournal,
		"DELETE /journal":            s.controlClearJournal,
		"POST /faults":               s.controlScript,
		"DELETE /faults":             s.controlClearFaults,
		"PUT /apps/{id}":             s.controlApp,
		"GET /apps/{id}/callback":    s.controlCallback,
		"PUT /apps/{id}/callback":    s.controlPutCallback,
		"DELETE /apps/{id}/callback": s.controlDeleteCallback,
		"GET /apps/{id}/token":       s.controlToken,
		"PUT /apps/{id}/token":       s.controlPutToken,
		"DELETE /apps/{id}/token":    s.controlDeleteToken,
		"POST /apps/{id}/deliver":    s.controlDeliver,
		"GET /gates/{name}":          s.controlGate,
		"POST /gates/{name}":         s.controlRelease,
	}
	for pattern, run := range routes {
		mux.Handle(pattern, controlHandler(run))
	}
	return http.NewCrossOriginProtection().Handler(forLoopbackHost(mux))
}

// forLoopbackHost keeps a web page away that had its own name resolved to this machine.
func forLoopbackHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if !loopbackHost(strings.Trim(host, "[]")) {
			writeControl(w, http.StatusForbidden, map[string]string{"error": "The controls answer to a loopback host only."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func controlHandler(run func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit)
		value, err := run(r)
		var refused controlError
		switch {
		case errors.As(err, &refused):
			writeControl(w, refused.status, map[string]string{"error": refused.sentence})
		case err != nil:
			writeControl(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		case value == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			writeControl(w, http.StatusOK, value)
		}
	})
}

func writeControl(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // a client that left gets nothing
}

// readControl refuses unknown fields, so that a mistyped fault is not taken for a harmless one.
func readControl(r *http.Request, into any) error {
	if err := decodeStrict(r.Body, into); err != nil {
		return controlError{http.StatusBadRequest, "The body was not understood: " + strings.TrimPrefix(err.Error(), "json: ") + "."}
	}
	return nil
}

// appID is the number in the path. known says whether an app of that number has to exist.
func (s *Server) appID(r *http.Request, known bool) (int64, error) {
	id := number([]string{r.PathValue("id")})
	if id == 0 {
		return 0, controlError{http.StatusBadRequest, "The SDKAppID in the path is not a number above 0."}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found := s.apps[id]; known && !found {
		return 0, controlError{http.StatusNotFound, "There is no app " + strconv.FormatInt(id, 10) + "."}
	}
	return id, nil
}

func (s *Server) controlJournal(*http.Request) (any, error) { return s.Journal(), nil }

func (s *Server) controlClearJournal(*http.Request) (any, error) {
	s.ClearJournal()
	return nil, nil
}

func (s *Server) controlScript(r *http.Request) (any, error) {
	var sent faultJSON
	if err := readControl(r, &sent); err != nil {
		return nil, err
	}
	if sent.DelayMS < 0 || sent.DelayMS > maxDelayMS {
		return nil, controlError{http.StatusBadRequest, "The delay is below 0 or longer than a day."}
	}
	fault := sent.fault()
	if err := fault.Check(); err != nil {
		return nil, controlError{http.StatusBadRequest, sentence(err)}
	}
	s.Script(fault)
	return nil, nil
}

// sentence makes an error of this package one for a person.
func sentence(err error) string {
	text := strings.TrimPrefix(err.Error(), "sandbox: ")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func (s *Server) controlClearFaults(*http.Request) (any, error) {
	s.ClearFaults()
	return nil, nil
}

func (s *Server) controlApp(r *http.Request) (any, error) {
	id, err := s.appID(r, false)
	if err != nil {
		return nil, err
	}
	var sent appJSON
	if err := readControl(r, &sent); err != nil {
		return nil, err
	}
	if err := s.AddApp(App{SDKAppID: id, Key: sent.Key, Admins: sent.Admins, Site: sent.Site}); err != nil {
		return nil, controlError{http.StatusBadRequest, sentence(err)}
	}
	return nil, nil
}

func (s *Server) controlCallback(r *http.Request) (any, error) {
	id, err := s.appID(r, true)
	if err != nil {
		return nil, err
	}
	callback, found := s.Callback(id)
	if !found {
		return nil, controlError{http.StatusNotFound, "The app has no callback."}
	}
	return callback, nil
}

func (s *Server) controlPutCallback(r *http.Request) (any, error) {
	id, err := s.appID(r, true)
	if err != nil {
		return nil, err
	}
	var sent callbackJSON
	if err := readControl(r, &sent); err != nil {
		return nil, err
	}
	if sent.Url == nil || sent.CallbackCommandList == nil {
		return nil, controlError{http.StatusBadRequest, "Url and CallbackCommandList are both needed."}
	}
	set := &Callback{Url: *sent.Url, CallbackCommandList: sent.CallbackCommandList}
	return nil, s.alter(id, func(state *appState) { s.replaceCallback(state, set) })
}

func (s *Server) controlDeleteCallback(r *http.Request) (any, error) {
	id, err := s.appID(r, true)
	if err != nil {
		return nil, err
	}
	return nil, s.alter(id, func(state *appState) { s.replaceCallback(state, nil) })
}

func (s *Server) alter(sdkappid int64, change func(*appState)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.change(sdkappid, change)
}

func (s *Server) controlToken(r *http.Request) (any, error) {
	id, err := s.appID(r, true)
	if err != nil {
		return nil, err
	}
	token, found := s.Token(id)
	if !found {
		return nil, controlError{http.StatusNotFound, "The app has no token."}
	}
	return token, nil
}

func (s *Server) controlPutToken(r *http.Request) (any, error) {
	id, err := s.appID(r, true)
	if err != nil {
		return nil, err
	}
	var sent tokenJSON
	if err := readControl(r, &sent); err != nil {
		return nil, err
	}
	if sent.Token == nil || sent.IsTokenEnable == nil {
		return nil, controlError{http.StatusBadRequest, "Token and IsTokenEnable are both needed."}
	}
	set := &Token{Token: *sent.Token, IsTokenEnable: *sent.IsTokenEnable}
	return nil, s.alter(id, func(state *appState) { state.Token = set })
}

func (s *Server) controlDeleteToken(r *http.Request) (any, error) {
	id, err := s.appID(r, true)
	if err != nil {
		return nil, err
	}
	return nil, s.alter(id, func(state *appState) { state.Token = nil })
}

func (s *Server) controlDeliver(r *http.Request) (any, error) {
	id, err := s.appID(r, true)
	if err != nil {
		return nil, err
	}
	var sent deliverJSON
	if err := readControl(r, &sent); err != nil {
		return nil, err
	}
	d, err := s.Deliver(r.Context(), id, sent.Command, sent.Body)
	if err != nil {
		return nil, controlError{http.StatusUnprocessableEntity, sentence(err)}
	}
	return deliveryJSON{Delivery: d, ElapsedMS: d.Elapsed.Milliseconds()}, nil
}

func (s *Server) controlGate(r *http.Request) (any, error) {
	waiting, known := s.waitingAt(r.PathValue("name"))
	if !known {
		return nil, unknownGate(r)
	}
	return map[string]int{"waiting": waiting}, nil
}

func (s *Server) controlRelease(r *http.Request) (any, error) {
	if !s.release(r.PathValue("name")) {
		return nil, unknownGate(r)
	}
	return nil, nil
}

func unknownGate(r *http.Request) error {
	return controlError{http.StatusNotFound, fmt.Sprintf("No fault has had a gate named %q.", r.PathValue("name"))}
}
