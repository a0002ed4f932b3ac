package handlers

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"callboard/i18n"
	"callboard/store"
	"callboard/tencent"
	"callboard/views"
)

// showErrorCodes lists the codes that are known, or those that fit what was asked for.
func (s *server) showErrorCodes(c echo.Context) error {
	v := views.ErrorCodesPage{Base: s.base(c, "codes.title"), Q: store.Text(strings.TrimSpace(c.QueryParam("q")), 200)}
	v.Nav = "events"
	for _, e := range tencent.ErrorCodes() {
		if row := codeRow(v.P, e); fits(v.Q, e, row) {
			v.Rows = append(v.Rows, row)
		}
	}
	v.Count = v.P.N("codes.count", len(v.Rows))
	if code, err := strconv.ParseInt(v.Q, 10, 64); err == nil && len(v.Rows) == 0 {
		v.Unknown = &views.Link{Href: codePath(code), Text: v.P.T("change.code_page", "Code", code)}
	}
	return s.render(c, http.StatusOK, views.ErrorCodes(v))
}

func codePath(code int64) string { return "/errors/" + itoa64(code) }

func codeRow(p *i18n.Printer, e tencent.ErrorCode) views.CodeRow {
	row := views.CodeRow{Code: itoa64(e.Code), Href: codePath(e.Code), Meaning: meaning(p, e.Code), Cause: p.T(errorText(e.Code, "cause")),
		Side: p.T("side." + string(e.Side)), Repeat: p.T("repeat." + string(e.Repeat))}
	if e.Last != 0 {
		row.Code += "–" + itoa64(e.Last)
	}
	return row
}

// fits tells whether a code begins with what was asked for, or its texts contain it.
func fits(q string, e tencent.ErrorCode, row views.CodeRow) bool {
	if code, err := strconv.ParseInt(q, 10, 64); err == nil && e.Last != 0 && e.Code <= code && code <= e.Last {
		return true
	}
	texts := strings.ToLower(strings.Join([]string{row.Meaning, row.Cause}, "\n"))
	return strings.HasPrefix(row.Code, q) || strings.Contains(texts, strings.ToLower(q))
}

// showErrorCode explains a code, known or not.
func (s *server) showErrorCode(c echo.Context) error {
	code, err := strconv.ParseInt(c.Param("code"), 10, 64)
	if err != nil {
		return store.ErrNotFound
	}
	v := views.ErrorCodePage{Base: s.base(c, "errors.title")}
	v.Nav = "events"
	v.Title += " " + itoa64(code)
	v.Headline = v.P.T("errors.headline", "Code", code, "Meaning", meaning(v.P, code))
	v.Cause, v.Do = v.P.T(errorText(code, "cause")), v.P.T(errorText(code, "do"))
	v.Facts = codeFacts(v.P, code, false)
	v.History = views.Link{Href: search{q: "code:" + itoa64(code)}.href("/history"), Text: v.P.T("codes.entries")}
	return s.render(c, http.StatusOK, views.ErrorCode(v))
}

// codeFacts says whose side a code is on and whether the call may be repeated, and of a call that writes whether it may have
// been carried out.
func codeFacts(p *i18n.Printer, code int64, reading bool) []views.Fact {
	e, known := tencent.ExplainCode(code)
	if !known {
		return []views.Fact{{Name: p.T("errors.known"), Text: p.T("errors.not_known")}}
	}
	list := []views.Fact{
		{Name: p.T("errors.side"), Text: p.T("side." + string(e.Side))},
		{Name: p.T("errors.repeat"), Text: p.T("repeat." + string(e.Repeat))},
	}
	if !reading {
		done := "errors.not_done"
		if !e.NotDone {
			done = "errors.maybe_done"
		}
		list = append(list, views.Fact{Name: p.T("errors.done"), Text: p.T(done)})
	}
	if e.Unverified {
		list = append(list, views.Fact{Name: p.T("errors.source"), Text: p.T("errors.unverified")})
	}
	return list
}
