package handlers

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"callboard/i18n"
	"callboard/store"
	"callboard/tencent"
	"callboard/views"
)

// bundleFile is one file of a support bundle.
type bundleFile struct{ name, text string }

// isTicket tells whether the file is a text to be sent to Tencent.
func (f bundleFile) isTicket() bool { return strings.HasPrefix(f.name, "ticket.") }

// showBundle shows every file of an entry's support bundle as it would be downloaded, and what was left out.
func (s *server) showBundle(c echo.Context) error {
	e, err := s.entry(c)
	if err != nil {
		return err
	}
	var r redactor
	v := views.BundlePage{Base: s.base(c, "bundle.title"), Number: "#" + itoa64(e.Number), Back: views.ChangePath(e.Number), Action: views.ChangePath(e.Number) + "/bundle"}
	v.Nav = "history"
	v.Title += " · " + v.Number
	for _, f := range s.bundle(v.P, s.clockOf(c, v.P).zone, e, &r) {
		file := views.BundleFile{Name: f.name, Text: f.text}
		if f.isTicket() {
			file.Copy = v.P.T("bundle.copy", "Name", f.name)
		}
		v.Files = append(v.Files, file)
	}
	v.Removed = leftOut(v.P, e, r)
	return s.render(c, http.StatusOK, views.Bundle(v))
}

// downloadBundle gives the bundle as one file. Who took it is in the audit before the first byte.
func (s *server) downloadBundle(c echo.Context) error {
	e, err := s.entry(c)
	if err != nil {
		return err
	}
	p := s.printer(c)
	packed, err := pack(s.bundle(p, s.clockOf(c, p).zone, e, &redactor{}), time.UnixMilli(e.StartedAt).UTC())
	if err != nil {
		return err
	}
	if err := s.Store.BundleMade(c.Request().Context(), actor(c), e.Number); err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentDisposition, `attachment; filename="callboard-change-`+itoa64(e.Number)+`.zip"`)
	return c.Blob(http.StatusOK, "application/zip", packed)
}

// pack makes the same bytes of the same files: their order and time are given.
func pack(files []bundleFile, at time.Time) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: at})
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", f.name, err)
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			return nil, fmt.Errorf("packing %s: %w", f.name, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("packing a bundle: %w", err)
	}
	return b.Bytes(), nil
}

// leftOut says what the bundle does not have although the entry does.
func leftOut(p *i18n.Printer, e entry, r redactor) []string {
	list := []string{p.T("bundle.no_values")}
	if r.values > 0 {
		list = []string{p.N("bundle.values", r.values)}
	}
	if r.users > 0 {
		list = append(list, p.N("bundle.users", r.users))
	}
	if e.call != nil {
		list = append(list, p.T("change.removed"))
	}
	if e.Actor.Address != "" {
		list = append(list, p.T("bundle.address"))
	}
	return list
}

// bundler writes the files of one entry.
type bundler struct {
	*server
	p    *i18n.Printer
	zone *time.Location
	entry
	red *redactor
}

func (s *server) bundle(p *i18n.Printer, zone *time.Location, e entry, r *redactor) []bundleFile {
	b := bundler{server: s, p: p, zone: zone, entry: e, red: r}
	files := []bundleFile{{"summary.txt", b.summary()}}
	for _, l := range i18n.Languages {
		files = append(files, bundleFile{"ticket." + l + ".txt", b.ticket(s.Texts.Printer(l))})
	}
	if e.call != nil {
		head, body, _ := strings.Cut(visible(e.call.Request), "\n\n")
		// The head is Tencent's address; what support needs to find the call stands in its query.
		files = append(files, bundleFile{"request.txt", head + "\n\n" + r.text(body) + "\n"},
			bundleFile{"answer.txt", orElse(r.text(visible(e.call.Answer)), p.T("change.no_answer")) + "\n"})
	}
	files = append(files, b.configurations()...)
	files = append(files, bundleFile{"timeline.txt", b.steps()})
	for i := range files {
		// Last, as redacting writes texts as they were meant: whoever prints a file must not be led by what is in it.
		files[i].text = visible([]byte(files[i].text))
	}
	return files
}

// both gives a time in UTC and in the person's zone.
func (b bundler) both(ms int64) string {
	return utc(ms) + " · " + time.UnixMilli(ms).In(b.zone).Format("2006-01-02 15:04:05 -07:00")
}

// clock shows times with their dates, so that the text does not depend on the day on which it is made.
func (b bundler) clock(p *i18n.Printer) clock {
	return clock{p: p, zone: b.zone, now: time.UnixMilli(b.StartedAt).In(b.zone).AddDate(-1, 0, 0)}
}

// says is what the entry's page says at its top.
func (b bundler) says(p *i18n.Printer) (title, text string) {
	v := views.ChangePage{Base: views.Base{P: p}}
	headline(&v, b.clock(p), b.entry)
	return strings.TrimSpace(v.Headline + " " + v.Zone), v.Meaning
}

func (b bundler) summary() string {
	p := b.p
	var w strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&w, "%s: %s\n", name, b.red.text(value))
		}
	}
	title, text := b.says(p)
	fmt.Fprintf(&w, "%s\n%s\n\n", b.red.text(title), b.red.text(text))
	line("RequestId", orElse(b.RequestID, p.T("word.none")))
	for _, at := range []struct {
		id string
		ms int64
	}{{"fact.started", b.StartedAt}, {"fact.ended", b.EndedAt}, {"fact.settled", b.SettledAt}} {
		if at.ms != 0 {
			line(p.T(at.id), b.both(at.ms))
		}
	}
	skip := map[string]bool{p.T("fact.started"): true, "UTC": true, p.T("fact.ended"): true, p.T("fact.settled"): true, p.T("fact.by"): true}
	for _, f := range b.changeFacts(p, b.clock(p), b.entry) {
		switch {
		case skip[f.Name]:
		case f.State != nil:
			line(f.Name, f.State.Text)
		default:
			line(f.Name, f.Text)
		}
	}
	line(p.T("fact.by"), b.who(p))
	b.code(line)
	return w.String()
}

// who leaves the network address out.
func (b bundler) who(p *i18n.Printer) string {
	if b.Actor.Name == "" {
		return p.T("word.console")
	}
	return p.T("bundle.person", "Name", b.Actor.Name, "Role", p.T("role."+b.Actor.Role))
}

func (b bundler) code(line func(name, value string)) {
	if b.ErrorCode == nil || *b.ErrorCode == 0 {
		return
	}
	p, code := b.p, *b.ErrorCode
	line(p.T("change.about_code", "Code", code), meaning(p, code))
	line(p.T("bundle.cause"), p.T(errorText(code, "cause")))
	line(p.T("bundle.do"), p.T(errorText(code, "do")))
	for _, f := range codeFacts(p, code, b.Outcome == store.NotSent) {
		line(f.Name, f.Text)
	}
}

// configurations are what was there before and what was wanted or found, each as exports have it.
func (b bundler) configurations() []bundleFile {
	if b.Kind == store.KindToken {
		return nil // of a token nothing is kept that helps
	}
	var files []bundleFile
	add := func(name, digest string) {
		c, ok := b.configs[digest]
		if digest == "" || !ok {
			return
		}
		x := exportConfiguration(&c)
		x.URL = b.red.whole(x.URL)
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		_ = e.Encode(x) // strings can always be written
		files = append(files, bundleFile{"configuration." + name + ".json", text.String()})
	}
	add("before", b.Previous)
	after := "after"
	if b.acted() && b.State() != store.Applied {
		after = "wanted" // it did not come to that, or nobody knows
	}
	add(after, b.after())
	if b.Found != b.after() {
		add("found", b.Found)
	}
	add("read-back", b.ReadBack)
	return files
}

func (b bundler) steps() string {
	var w strings.Builder
	for _, m := range b.course(b.p) {
		when := m.word(b.p)
		if m.at != 0 {
			when = b.both(m.at)
		}
		fmt.Fprintf(&w, "%s  %s\n", when, b.red.text(m.text))
	}
	if w.Len() == 0 {
		fmt.Fprintf(&w, "%s  %s\n", b.both(b.StartedAt), stateOf(b.p, b.Kind, b.Outcome, b.Settled).Text)
	}
	return w.String()
}

// about picks the ticket's sentences: what was expected, and what is asked of Tencent.
func (b bundler) about() string {
	switch {
	case b.Kind == store.KindToken && b.State() == store.Refused:
		return "token_refused"
	case b.Kind == store.KindToken:
		return store.KindToken
	case !b.acted():
		return b.Kind
	case b.State() == store.Applied && b.readBackOther():
		return "differs"
	case b.Outcome == store.NotSent:
		return b.notSent(b.Cause)
	case b.Settled != "" && b.closedByHand():
		return "by_hand"
	case b.answeredLate():
		return b.lateOutcome()
	case b.Settled != "":
		return "settled_" + b.Settled
	}
	return b.Outcome
}

// lateOutcome is how a change would have ended if its answer had come in time.
func (e entry) lateOutcome() string {
	switch {
	case e.Settled == store.Applied:
		return store.Applied
	case e.ErrorCode != nil:
		return store.Refused
	}
	for _, st := range e.steps {
		if st.Name == store.StepNotSent {
			return e.notSent(st.Detail)
		}
	}
	return heldBack
}

// heldBack is what this console decided by itself, of which Tencent knows nothing.
const heldBack = "held_back"

// notSent says by its cause what a ticket about a change that was not sent is about.
func (e entry) notSent(cause string) string {
	switch cause {
	case string(tencent.FaultConnect):
		return store.NotSent
	case store.CauseUnread:
		ours := func(st store.Step) bool {
			return st.Name == store.StepUnread && tencent.Fault(st.Detail).HeldBack()
		}
		if !slices.ContainsFunc(e.steps, ours) {
			return "unread"
		}
	}
	return heldBack
}

// ticket is a text that can be sent to Tencent support as it is.
func (b bundler) ticket(p *i18n.Printer) string {
	var w strings.Builder
	about := b.about()
	call := orElse(b.Call, "get_callback")
	fmt.Fprintf(&w, "%s\n\n", p.T("inquiry.subject", "Call", call, "App", b.SDKAppID, "What", p.T("inquiry.what."+about)))
	line := func(name, value string) {
		fmt.Fprintf(&w, "%s: %s\n", name, b.red.text(orElse(value, p.T("word.none"))))
	}
	line("SDKAppID", itoa64(b.SDKAppID))
	line("RequestId", b.RequestID)
	line(p.T("inquiry.time"), utc(b.StartedAt))
	line(p.T("inquiry.zone"), b.both(b.StartedAt)[len(utc(0))+len(" · "):])
	line("API", call)
	line(p.T("fact.host"), b.Host)
	if b.acted() { // of a reading it is not kept
		line("HTTP", digits(b.HTTPStatus))
	}
	line("ActionStatus", b.ActionStatus)
	line("ErrorCode", digits(b.ErrorCode))
	line("ErrorInfo", b.ErrorInfo)
	if b.mayHaveGone() {
		line("random", digits(b.Attempt))
	}
	title, _ := b.says(p)
	fmt.Fprintf(&w, "\n%s\n%s\n", p.T("inquiry.happened"), b.red.text(title))
	if b.Outcome == store.Unknown && slices.Contains(noAnswer, tencent.Fault(b.Cause)) {
		fmt.Fprintf(&w, "%s\n", p.T("inquiry.fault", "Why", readFailure(p, nil, b.Cause)))
	}
	fmt.Fprintf(&w, "\n%s\n%s\n", p.T("inquiry.expected"), p.T("inquiry.expected."+about))
	b.callback(&w, p, "", b.Wanted)
	if !b.acted() {
		b.callback(&w, p, "inquiry.before", b.Previous)
	}
	b.callback(&w, p, "inquiry.found", b.seen())
	fmt.Fprintf(&w, "\n%s\n%s\n", p.T("inquiry.ask"), p.T("inquiry.ask."+about))
	return w.String()
}

// noAnswer are the faults of calls that may have reached Tencent.
var noAnswer = []tencent.Fault{tencent.FaultTimeout, tencent.FaultCut, tencent.FaultStatus, tencent.FaultShape, tencent.FaultTooLarge}

// seen is the digest of what the cloud held, where a ticket is about that.
func (b bundler) seen() string {
	if b.acted() {
		return b.ReadBack
	}
	return b.Found
}

// callback writes a configuration into a ticket, under a title.
func (b bundler) callback(w *strings.Builder, p *i18n.Printer, title, digest string) {
	c, ok := b.configs[digest]
	if digest == "" || !ok || b.Kind == store.KindToken {
		return
	}
	if title != "" {
		fmt.Fprintf(w, "\n%s\n", p.T(title))
	}
	fmt.Fprintf(w, "URL: %s\nCallbackCommandList: %s\n", b.red.whole(orElse(c.URL(), p.T("word.none"))), orElse(strings.Join(c.Commands(), ", "), p.T("word.none")))
}
