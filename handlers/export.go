package handlers

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"unicode"

	"github.com/labstack/echo/v4"

	"callboard/store"
)

// exported is one line of /history.jsonl; the names are stable, and are those of the columns of /history.csv too, with _ for the full stop.
type exported struct {
	Number       int64                  `json:"number"`
	Kind         string                 `json:"kind"`
	SDKAppID     int64                  `json:"sdkappid"`
	App          string                 `json:"app"`
	Region       string                 `json:"region"`
	Host         *string                `json:"host"`
	Call         *string                `json:"call"`
	Random       *int64                 `json:"random"`
	Outcome      *string                `json:"outcome"`
	Settled      *string                `json:"settled"`
	StartedAt    *string                `json:"started_at"`
	EndedAt      *string                `json:"ended_at"`
	SettledAt    *string                `json:"settled_at"`
	DurationMS   *int64                 `json:"duration_ms"`
	HTTPStatus   *int64                 `json:"http_status"`
	ActionStatus *string                `json:"action_status"`
	ErrorCode    *int64                 `json:"error_code"`
	ErrorInfo    *string                `json:"error_info"`
	RequestID    *string                `json:"request_id"`
	Who          *string                `json:"who"`
	Reason       *string                `json:"reason"`
	Previous     *exportedConfiguration `json:"previous"`
	Wanted       *exportedConfiguration `json:"wanted"`
}

type exportedConfiguration struct {
	URL      string   `json:"url"`
	Commands []string `json:"commands"`
}

// format is a way to write entries down.
type format struct {
	name, media string
	// begin gives what writes an entry, and what ends the export.
	begin func(out *bufio.Writer) (each func(exported) error, end func() error)
}

var (
	jsonLines = format{"jsonl", "application/x-ndjson; charset=utf-8", beginJSONLines}
	csvTable  = format{"csv", "text/csv; charset=utf-8; header=present", beginCSV}
)

func (s *server) exportJSONLines(c echo.Context) error { return s.exportHistory(c, jsonLines) }

func (s *server) exportCSV(c echo.Context) error { return s.exportHistory(c, csvTable) }

// exportHistory streams what the search selects in constant memory. Who took what is in the audit before the first byte.
func (s *server) exportHistory(c echo.Context, f format) error {
	ctx, asked := c.Request().Context(), readSearch(c)
	k := s.clockOf(c, s.printer(c)).of(asked.zone)
	u, err := s.understand(ctx, asked, k)
	if err != nil {
		return err
	}
	if u.zoned {
		asked.zone = k.zone.String() // the audit has to say whose days they were
	}
	if headOnly(c) {
		c.Response().Header().Set(echo.HeaderContentType, f.media)
		return c.NoContent(http.StatusOK) // nothing is taken
	}
	if err := s.Store.HistoryExported(ctx, actor(c), f.name, asked.href("/history")); err != nil {
		return err
	}
	r := c.Response()
	r.Header().Set(echo.HeaderContentType, f.media)
	r.Header().Set(echo.HeaderContentDisposition, `attachment; filename="callboard-history.`+f.name+`"`)
	out := bufio.NewWriterSize(patient{c}, 32<<10)
	each, end := f.begin(out)
	err = s.Store.EachStep(ctx, u.filter, func(step []store.ExportEntry) error {
		for _, e := range step {
			if err := each(export(e)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && !r.Committed {
		r.Header().Del(echo.HeaderContentDisposition)
		return err
	}
	if err != nil {
		s.cutOff(c, err)
	}
	return end()
}

// cutOff ends an export in its middle: half of one must not look like a whole one.
func (s *server) cutOff(c echo.Context, err error) {
	ctx, level := c.Request().Context(), slog.LevelError
	if ctx.Err() != nil || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		level = slog.LevelInfo // whoever asked went away
	}
	s.Log.Log(ctx, level, "an export was cut off", "id", c.Get(idKey), "path", loggedPath(c), "user", userName(c), "err", err)
	panic(http.ErrAbortHandler)
}

// patient gives the client time anew for each part that is sent: an export may take long, and what it looks through as well.
type patient struct{ c echo.Context }

func (p patient) Write(part []byte) (int, error) {
	allowAnswer(p.c)
	return p.c.Response().Write(part)
}

func beginJSONLines(out *bufio.Writer) (each func(exported) error, end func() error) {
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	return func(x exported) error { return lines.Encode(x) }, out.Flush
}

// columns are the fields of a line of the CSV, in their order.
var columns = []struct {
	name string
	of   func(exported) string
}{
	{"number", func(x exported) string { return itoa64(x.Number) }},
	{"kind", func(x exported) string { return x.Kind }},
	{"sdkappid", func(x exported) string { return itoa64(x.SDKAppID) }},
	{"app", func(x exported) string { return inert(x.App) }},
	{"region", func(x exported) string { return inert(x.Region) }},
	{"host", func(x exported) string { return inert(orEmpty(x.Host)) }},
	{"call", func(x exported) string { return inert(orEmpty(x.Call)) }},
	{"random", func(x exported) string { return digits(x.Random) }},
	{"outcome", func(x exported) string { return orEmpty(x.Outcome) }},
	{"settled", func(x exported) string { return orEmpty(x.Settled) }},
	{"started_at", func(x exported) string { return orEmpty(x.StartedAt) }},
	{"ended_at", func(x exported) string { return orEmpty(x.EndedAt) }},
	{"settled_at", func(x exported) string { return orEmpty(x.SettledAt) }},
	{"duration_ms", func(x exported) string { return digits(x.DurationMS) }},
	{"http_status", func(x exported) string { return digits(x.HTTPStatus) }},
	{"action_status", func(x exported) string { return inert(orEmpty(x.ActionStatus)) }},
	{"error_code", func(x exported) string { return digits(x.ErrorCode) }},
	{"error_info", func(x exported) string { return inert(orEmpty(x.ErrorInfo)) }},
	{"request_id", func(x exported) string { return inert(orEmpty(x.RequestID)) }},
	{"who", func(x exported) string { return inert(orEmpty(x.Who)) }},
	{"reason", func(x exported) string { return inert(orEmpty(x.Reason)) }},
	{"previous_url", func(x exported) string { return inert(x.Previous.address()) }},
	{"previous_commands", func(x exported) string { return inert(x.Previous.words()) }},
	{"wanted_url", func(x exported) string { return inert(x.Wanted.address()) }},
	{"wanted_commands", func(x exported) string { return inert(x.Wanted.words()) }},
}

func beginCSV(out *bufio.Writer) (each func(exported) error, end func() error) {
	table := csv.NewWriter(out)
	line := make([]string, len(columns))
	for i, column := range columns {
		line[i] = column.name
	}
	// Without the mark Excel takes the file for the code page of the machine, and Chinese for nonsense.
	_, _ = out.WriteString("\ufeff") // table.Write reports what out could not take
	head := table.Write(line)
	each = func(x exported) error {
		if head != nil {
			return head
		}
		for i, column := range columns {
			line[i] = column.of(x)
		}
		return table.Write(line)
	}
	return each, func() error {
		table.Flush()
		return table.Error()
	}
}

func (x *exportedConfiguration) address() string {
	if x == nil {
		return ""
	}
	return x.URL
}

func (x *exportedConfiguration) words() string {
	if x == nil {
		return ""
	}
	return strings.Join(x.Commands, " ")
}

// inert keeps a spreadsheet from taking a text for a formula; some look for one behind blanks, and for the wide signs
// of Chinese keyboards too.
func inert(text string) string {
	seen := strings.TrimLeftFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
	if strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "\r") || strings.HasPrefix(text, "\n") || strings.IndexFunc(seen, isFormulaSign) == 0 {
		return "'" + text
	}
	return hiddenFormula.ReplaceAllString(text, "$1'$2")
}

// hiddenFormula is what would begin a cell where a spreadsheet also cuts at semicolons and tabs.
var hiddenFormula = regexp.MustCompile(`([;\t\r\n]\s*)([=+\-@＝＋－＠])`)

func isFormulaSign(r rune) bool { return strings.ContainsRune("=+-@＝＋－＠", r) }

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func digits(n *int64) string {
	if n == nil {
		return ""
	}
	return itoa64(*n)
}

func export(e store.ExportEntry) exported {
	x := exported{Number: e.Number, Kind: e.Kind, SDKAppID: e.SDKAppID, App: e.App, Region: e.Region, Host: text(e.Host), Call: text(e.Call), Random: e.Attempt,
		Outcome: text(e.Outcome), Settled: text(e.Settled), StartedAt: moment(e.StartedAt), EndedAt: moment(e.EndedAt), SettledAt: moment(e.SettledAt), DurationMS: e.DurationMS,
		HTTPStatus: e.HTTPStatus, ActionStatus: text(e.ActionStatus), ErrorCode: e.ErrorCode, RequestID: text(e.RequestID), Who: text(e.Who), Reason: text(e.Reason)}
	if e.ErrorCode != nil || e.ErrorInfo != "" {
		x.ErrorInfo = &e.ErrorInfo
	}
	if e.Kind != store.KindToken {
		x.Previous, x.Wanted = exportConfiguration(e.Previous), exportConfiguration(e.Wanted)
	}
	return x
}

func exportConfiguration(c *store.Configuration) *exportedConfiguration {
	if c == nil {
		return nil
	}
	x := &exportedConfiguration{URL: c.URL(), Commands: c.Commands()}
	if x.Commands == nil {
		x.Commands = []string{}
	}
	return x
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func moment(ms int64) *string {
	if ms == 0 {
		return nil
	}
	s := utc(ms)
	return &s
}
