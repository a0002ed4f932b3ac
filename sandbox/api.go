package sandbox

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	pathPrefix = "/v4/live_config/"
	bodyLimit  = 1 << 20
)

// call is one request to the played API on its way through the checks.
type call struct {
	request    *http.Request
	at         time.Time // when the whole request had arrived
	command    *command  // nil for any other path
	name       string
	query      url.Values
	queryFault error
	sdkappid   int64 // 0 when it is not a number
	random     uint32
	app        App
	body       []byte
	bodyFault  error
	fields     fields
}

// refusal is an answer other than OK.
type refusal struct {
	code int64
	info string
}

func refuse(code int64, format string, args ...any) *refusal {
	return &refusal{code: code, info: fmt.Sprintf(format, args...)}
}

// outcome is what a request came to.
type outcome struct {
	code          int64
	info          string
	response      any
	applied       bool
	before, after *Callback
}

// answer is the envelope of document 647/63398.
type answer struct {
	ActionStatus string `json:"ActionStatus"`
	ErrorInfo    string `json:"ErrorInfo"`
	ErrorCode    int64  `json:"ErrorCode"`
	RequestID    string `json:"RequestId,omitempty"`
	Response     any    `json:"Response,omitempty"`
}

// API is the played API: POST /v4/live_config/<command> with the query parameters of document 647/63398. Every answer
// of the API itself is HTTP 200; the first check that fails decides it.
func (s *Server) API() http.Handler { return http.HandlerFunc(s.serveAPI) }

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	c := s.readCall(w, r)
	fault := &scripted{}
	if c.command != nil && r.Method == http.MethodPost {
		fault = s.takeFault(c.sdkappid, c.name)
	}
	refused := s.check(c)
	if !s.hold(fault) {
		s.decide(c, fault, refuse(60008, "the server was closed while the request waited"))
		drop(w, true)
		return
	}
	result, entry := s.decide(c, fault, refused)
	if fault.Drop != "" {
		drop(w, fault.Reset)
		return
	}
	s.write(w, r, fault.Fault, result, entry)
}

// readCall takes the body in before anything is decided: a client that goes away later has still sent its request.
func (s *Server) readCall(w http.ResponseWriter, r *http.Request) *call {
	c := &call{request: r, name: r.URL.Path}
	c.body, c.bodyFault = io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	c.at = s.now()
	c.query, c.queryFault = url.ParseQuery(r.URL.RawQuery)
	// The path has to be exactly as documented: no escapes, no trailing slash.
	if name, found := strings.CutPrefix(r.URL.EscapedPath(), pathPrefix); found && commandNamed(name) != nil {
		c.name, c.command = name, commandNamed(name)
	}
	c.sdkappid = number(c.query["sdkappid"])
	if random := c.query["random"]; len(random) == 1 {
		c.random, _ = parseRandom(random[0])
	}
	return c
}

// number is the one value as a plain number above 0; 0 when it is not one.
func number(values []string) int64 {
	if len(values) != 1 {
		return 0
	}
	n, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != values[0] {
		return 0
	}
	return n
}

// decide carries the request out unless it is refused or the fault forbids it, and writes the journal. All of it happens
// under one lock, so the journal has the order in which things were applied.
func (s *Server) decide(c *call, fault *scripted, refused *refusal) (outcome, *Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var result outcome
	if refused == nil && fault.applies() {
		result, refused = s.carryOut(c)
	}
	if refused != nil {
		result.code, result.info = refused.code, refused.info
	}
	if fault.Code != 0 {
		result.code, result.info, result.response = fault.Code, scriptedInfo(fault.Fault), nil
	}
	entry := s.entryFor(c, fault.Fault, result)
	s.record(entry)
	return result, entry
}

func scriptedInfo(f Fault) string {
	if f.Info == "" {
		return "scripted answer"
	}
	return f.Info
}

func (s *Server) entryFor(c *call, fault Fault, result outcome) *Entry {
	return &Entry{
		At: s.now(), Random: c.random, SDKAppID: c.sdkappid, Command: c.name,
		Identifier: c.query.Get("identifier"), Host: c.request.Host,
		Verdict: result.code, Fault: fault.String(), Applied: result.applied,
		Before: result.before, After: result.after, RequestID: s.nextRequestID(),
	}
}

// nextRequestID makes the shape of the documents' samples. The counter rises with every request.
func (s *Server) nextRequestID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24
	return fmt.Sprintf("Id-%s-O-Seq-%d", hex.EncodeToString(random[:]), s.sequence.Add(1))
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, fault Fault, result outcome, entry *Entry) {
	status, contentType, body := render(fault, result, entry.RequestID)
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	cut := fault.CutAt > 0 && fault.CutAt < len(body)
	if cut {
		body = body[:fault.CutAt]
	}
	// Said before the bytes leave: whoever has the answer must find it in the journal.
	s.setAnswered(entry, !cut && r.Context().Err() == nil)
	w.WriteHeader(status)
	_, err := w.Write(body)
	if flushed := http.NewResponseController(w).Flush(); err == nil {
		err = flushed
	}
	if err != nil {
		s.setAnswered(entry, false)
	}
}

func render(fault Fault, result outcome, requestID string) (status int, contentType string, body []byte) {
	status, contentType = http.StatusOK, "application/json"
	if fault.Status != 0 {
		status = fault.Status
	}
	switch {
	case fault.Body != "":
		body = []byte(fault.Body)
	case fault.Status != 0:
		contentType, body = "text/html", page(fault.Status)
	default:
		body = envelope(fault, result, requestID)
	}
	return status, contentType, body
}

func page(status int) []byte {
	text := html.EscapeString(fmt.Sprintf("%d %s", status, http.StatusText(status)))
	return []byte("<html><head><title>" + text + "</title></head><body><h1>" + text + "</h1></body></html>\n")
}

func envelope(fault Fault, result outcome, requestID string) []byte {
	a := answer{ActionStatus: "OK", ErrorInfo: result.info, ErrorCode: result.code, RequestID: requestID, Response: result.response}
	if result.code != 0 {
		a.ActionStatus = "FAIL"
	}
	// 60002 comes from the gateway, which was seen to answer without one.
	if fault.NoRequestID || result.code == 60002 {
		a.RequestID = ""
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(a) // strings, numbers and booleans only
	return bytes.TrimRight(out.Bytes(), "\n")
}

// drop closes the connection without an answer; with reset the client sees a reset instead of an end.
func drop(w http.ResponseWriter, reset bool) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		// Without a connection to close, this is how a handler says that there is no answer.
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := connection.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}
