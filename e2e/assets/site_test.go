package assets_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"callboard/static"
)

// policy is that of the console: nothing inline, pictures in data: addresses for Tabler's ticks.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const htmxConfig = `<meta name="htmx-config" content='{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0}'>`

// icon writes one symbol of the sprite.
func icon(id string) string {
	return `<svg class="cb-i" aria-hidden="true"><use href="` + static.Path("icons.svg") + "#" + id + `"/></svg>`
}

// page writes a whole document round a body; attributes go into its html element.
func page(attributes, body string) string {
	return `<!doctype html><html lang="en" ` + attributes + `><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">` + htmxConfig +
		`<title>Parts</title><link rel="icon" href="` + static.Path("favicon.svg") + `">
		<link rel="stylesheet" href="` + static.Path("tabler.min.css") + `"><link rel="stylesheet" href="` + static.Path("callboard.css") + `">
		<script src="` + static.Path("htmx.min.js") + `" defer></script><script src="` + static.Path("callboard.js") + `" defer></script></head>
		<body><a class="cb-skip" href="#main">Skip</a>` + body + `</body></html>`
}

// site serves documents by path, the files of package static, and /elsewhere, which says how it was reached. It is made
// before the page that opens it: it then outlives that page and whatever the page still loads.
func site(t *testing.T, documents map[string]string) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET /static/", static.Handler())
	write := func(w http.ResponseWriter, document string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		_, _ = w.Write([]byte(document))
	}
	for path, document := range documents {
		if path == "/" {
			path = "/{$}"
		}
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { write(w, document) })
	}
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		write(w, page("", fmt.Sprintf(`<main id="main"><h1>Elsewhere</h1><p id="how">%s</p></main>`, html.EscapeString(r.Method+" "+r.Form.Encode()))))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

// event is one row of the callback form.
type event struct {
	word, name string
	ticked     bool
	inCloud    bool
	apart      string // what the sentence says when the row differs, for a row that is not counted
}

func (e event) html() string {
	mark := func(kind, colour, symbol, word string) string {
		return `<span class="cb-mark ` + colour + `" data-mark="` + kind + `" hidden>` + icon(symbol) + word + `</span>`
	}
	cloud, checked, apart, id := "0", "", "", strings.ReplaceAll(e.word, ".", "-")
	if e.inCloud {
		cloud = "1"
	}
	if e.ticked {
		checked = " checked"
	}
	if e.apart != "" {
		apart = ` data-apart="` + e.apart + `"`
	}
	return `<div class="cb-event" data-cloud="` + cloud + `"` + apart + `><input class="form-check-input" type="checkbox" name="command" value="` + e.word + `" id="` + id + `"` + checked + `>
		<div><label for="` + id + `">` + e.name + `</label><div class="cb-word-line"><code>` + e.word + `</code> · sometimes</div></div>
		<div class="cb-side">` + mark("add", "ok", "plus", "added") + mark("del", "bad", "minus", "removed") + `</div></div>`
}

func group(id, name string, events ...event) string {
	rows := ""
	for _, e := range events {
		rows += e.html()
	}
	return `<fieldset class="cb-group" id="group-` + id + `"><legend><button class="cb-tri" type="submit" name="do" value="group:` + id + `" role="checkbox" aria-checked="false" aria-label="` + name + `" data-name="` + name + `">
		<svg class="cb-i" aria-hidden="true" hidden><use href="` + static.Path("icons.svg") + `#check"/></svg></button><span>` + name + `</span>
		<span data-count>?</span> <span class="cb-mark ok" data-mark="add" hidden><span class="visually-hidden">added: </span>+<span data-n>0</span></span>
		<span class="cb-mark bad" data-mark="del" hidden><span class="visually-hidden">removed: </span>−<span data-n>0</span></span></legend>` + rows + `</fieldset>`
}

// callbackForm is the form the script knows, with three groups of which the last has nothing to count.
func callbackForm() string {
	return `<form method="post" action="/elsewhere" id="callback-form" data-live data-dirty class="cb-stack"
		data-count="{n} of {all}" data-total="{n} of {all} ticked" data-sentence="{add} added · {del} removed" data-same="as in the cloud" data-join=" · "
		data-tick="Tick all {n}" data-untick="Untick all {n}" data-tick-shown="Tick {n} shown" data-untick-shown="Untick {n} shown" data-tri="{name}, all {n}" data-tri-shown="{name}, {n} shown">
		<button class="visually-hidden" type="submit" name="do" value="check" tabindex="-1">Check</button>
		<label class="form-label" for="url">Callback URL</label><input class="form-control" id="url" name="url" value="https://hooks.example.com/live">
		<section class="card" aria-labelledby="h-events"><div class="card-header"><h2 id="h-events">What</h2><span class="cb-2" id="total" data-total>?</span>
		<span class="cb-row cb-push"><button class="btn btn-mini" name="do" value="all" data-set="all" data-text="All {n}" data-shown="Tick {n} shown">All</button>
		<button class="btn btn-mini" name="do" value="none" data-set="none" data-text="None" data-shown="Untick {n} shown">None</button>
		<button class="btn btn-mini" name="do" value="cloud" data-set="cloud">As in the cloud</button></span></div>
		<div class="cb-row px-3 py-3"><label for="filter">Filter events</label><input class="form-control" id="filter" name="filter" type="search">
		<label><input class="form-check-input" type="checkbox" id="only" name="only" value="changed"> Only changed</label></div>
		<p id="nomatch" class="px-3" data-nomatch hidden>No event has this text.</p>` +
		group("blocking", "Blocking",
			event{"Live.BeforeGift", "Before a gift", true, true, ""},
			event{"Live.Policy", "Let the gift through", false, false, "gift policy changed"},
			event{"Group.BeforeMessage", "Before a message", false, false, ""}) +
		group("room", "Room",
			event{"Live.RoomCreated", "Room created", true, true, ""},
			event{"Live.RoomDestroyed", "Room destroyed", true, true, ""},
			event{"Live.Recording", "Recording changed", false, false, ""}) +
		`<fieldset class="cb-group" id="group-unknown"><legend>Not in our list</legend>` +
		event{"Live.Unheard", "Live.Unheard", true, true, "Live.Unheard dropped"}.html() + `</fieldset>
		</section><div class="cb-foot"><output class="cb-small" aria-live="polite" id="sentence">?</output>
		<button class="btn btn-primary cb-push" id="review">Review</button></div></form>`
}
