// Package views shows pages: templ components and their own models. A model holds text ready to show; views know no
// Echo, no store record and no Tencent type.
package views

import (
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"callboard/i18n"
)

// Base is what every page has.
type Base struct {
	P       *i18n.Printer
	Assets  Assets
	Written *Written // of the console, for pages with many rows
	Title   string
	Theme   string // "light", "dark", or "" as the system
	User    *User  // nil: nobody is signed in
	CSRF    string
	Nav     string // the current entry of the main menu
	Notices []Notice
	Sandbox bool // the console talks to a sandbox
	Unknown int  // open unknown changes
	Drifted int  // drifted apps
	App     *AppHead
	Refresh int // seconds until a page that is not finished renews itself, 0 for never
	Here    string
}

// Assets are the addresses of static files.
type Assets struct {
	Tabler, Style, Script, HTMX, Icons, Favicon string
}

// User is the person whose page it is.
type User struct {
	Name, Role string
	Admin      bool
	Keyless    bool // keys alone do nothing
}

func (b Base) keyless() bool { return b.User != nil && b.User.Keyless }

// Notice is one line above a page.
type Notice struct {
	Level string // ok, bad, care, unsure or info
	Title string
	Text  string
	Facts []Fact
	Link  *Link
}

// Link is an address of ours with its words.
type Link struct{ Href, Text string }

// AppHead is the bar and the tabs of an app's pages.
type AppHead struct {
	ID, Name, Region     string
	Environment, EnvWord string
	Tab                  string // the current tab
	Settings             bool   // the person may see the settings
	Archived             bool
}

// Env is an environment with its word.
type Env struct{ Class, Word string }

// State is a coloured word with its icon.
type State struct{ Class, Icon, Text string }

// Time is a moment as people read it, with the exact one behind.
type Time struct {
	Text  string
	ISO   string
	Title string
}

// Option is one choice of a list.
type Option struct {
	Value, Text string
	Selected    bool
}

// FieldError is a mistake with a link to its field.
type FieldError struct{ Href, Text string }

// AppPath is the address of a page of an app.
func AppPath(sdkappid int64, rest string) string {
	return "/apps/" + strconv.FormatInt(sdkappid, 10) + rest
}

// ChangePath is the address of an entry of the history.
func ChangePath(number int64) string { return "/changes/" + strconv.FormatInt(number, 10) }

func itoa(n int) string { return strconv.Itoa(n) }

func noticeIcon(level string) string {
	switch level {
	case "ok":
		return "circle-check"
	case "bad":
		return "alert-circle"
	case "unsure":
		return "help-circle"
	case "care":
		return "alert-triangle"
	}
	return "info-circle"
}

func noticeRole(level string) string {
	if level == "bad" {
		return "alert"
	}
	return "status"
}

// class is a class attribute for parts that stand in every row of a list; templ's own way of joining classes takes
// longer than the rest of a row.
func class(list ...string) templ.OrderedAttributes {
	return templ.OrderedAttributes{{Key: "class", Value: strings.TrimSpace(strings.Join(list, " "))}}
}

// field has the classes of an input, and says of one that is wrong that it is.
func field(wrong bool, classes ...string) templ.OrderedAttributes {
	if !wrong {
		return class(classes...)
	}
	return append(class(append(classes, "is-invalid")...), templ.KeyValue[string, any]{Key: "aria-invalid", Value: "true"})
}

// voidClass marks a cell without a value, which vanishes where rows are folded.
func voidClass(value string, list ...string) templ.OrderedAttributes {
	if value == "" {
		list = append(list, "cb-void")
	}
	return class(list...)
}
