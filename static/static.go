// Package static holds the stylesheets, scripts and icons the pages use, embedded in the binary, and serves them under
// names that carry a hash of their content. A browser may keep such a file for ever: other content has another name.
//
// The script, callboard.js, looks for these things in a page; all texts in them come from the server.
//
// On any page:
//   - button[data-copy="ID"], rendered hidden: copies the text of #ID (of a time its datetime, of a field its value),
//     without ID the nearest .cb-id; its span answers data-done or data-failed.
//   - [data-until="MS"] counts down to that Unix time with data-template="{m} min {s} s left", at zero data-over;
//     data-now="MS" is the server's time at rendering.
//   - "/" goes to the first visible .cb-find field, the two keys of [data-key="g a"] to that link; not while typing, not
//     under <html data-keys="off">.
//   - #errors takes the focus; form[data-dirty] asks before it is left changed, data-dirty="yes" was rendered changed;
//     details.cb-menu closes on Escape and on a click elsewhere.
//
// In form#callback-form[data-live], redrawn when an event is ticked or the URL changes:
//   - .cb-event[data-cloud="1|0"] is a row with label and input[name=command]. With data-apart="PHRASE" it is not counted
//     and not touched by group, all and none; PHRASE joins the sentence when it is changed.
//   - [data-mark=add|del] in rows and legends, both rendered; in legends its [data-n] takes the number.
//   - .cb-group > legend holds .cb-tri[data-name] with svg > use, and [data-count].
//   - button[data-set=all|none|cloud]: all and none mean the rows shown, in its group if any; cloud means every row.
//     Its label is data-text "All {n}", while rows are hidden data-shown "Tick {n} shown".
//   - input[name=filter|only] shows rows with this text, or that differ; [data-nomatch] when there are none.
//   - on the form: data-count and data-total "{n} of {all}"; for #sentence data-sentence {add} {del}, data-same,
//     data-url (the cloud's) with data-moved, data-join; for .cb-tri data-tick, -untick, -tick-shown, -untick-shown {n},
//     and names data-tri, -tri-shown {name} {n}.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// prefix is where Handler expects to be mounted; every address that Path gives begins with it.
const prefix = "/static/"

// The licence texts are served like everything else, so that whoever has the binary has them too.
//
//go:embed callboard.css callboard.js icons.svg favicon.svg icons.license.txt
//go:embed vendor/tabler.min.css vendor/tabler.license.txt vendor/htmx.min.js vendor/htmx.license.txt
var embedded embed.FS

// contentTypes is a table of our own because package mime also reads tables of the machine it runs on.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml; charset=utf-8",
	".txt": "text/plain; charset=utf-8",
}

// file is one embedded file as it is served.
type file struct {
	served      string // base name with the hash, as in the address
	contentType string
	plain       []byte
	zipped      func() []byte // made at first use, then kept
}

// byName finds a file by the name it has in this folder, byServed by the name in its address.
var byName, byServed = index(embedded)

// Path gives the address of a file, by its name without folder: Path("callboard.css") is
// "/static/callboard-<first 12 hex digits of its SHA-256>.css". The address stays the same as long as the content does.
// It panics when there is no such file, which can only be a programmer's mistake.
func Path(name string) string {
	f, ok := byName[name]
	if !ok {
		panic(fmt.Sprintf("static: no file named %q", name))
	}
	return prefix + f.served
}

// Handler serves the addresses that Path gives, for GET and HEAD, to be kept by browsers for a year and, where the
// client takes gzip, compressed. Every other address below /static/ is 404, also that of an earlier content of a known
// file; every other method is 405.
func Handler() http.Handler { return http.HandlerFunc(serve) }

func serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	name, below := strings.CutPrefix(r.URL.Path, prefix)
	f, known := byServed[name]
	if !below || !known {
		refuse(w, http.StatusNotFound)
		return
	}
	f.send(w, r)
}

// refuse answers without a body worth keeping: while two versions run side by side, an address that one of them does
// not know is right at the other.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(status), status)
}

func (f *file) send(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Type", f.contentType)
	h.Add("Vary", "Accept-Encoding")
	body := f.plain
	if takesGzip(r.Header.Values("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		body = f.zipped()
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	// A failed write means that the client has gone, and there is nobody left to tell.
	_, _ = w.Write(body)
}

// takesGzip reports whether the Accept-Encoding values name gzip, or everything, with a weight above zero. What is said
// of gzip itself counts before what is said of everything (RFC 9110, section 12.5.3).
func takesGzip(values []string) bool {
	everything := false
	for _, part := range strings.Split(strings.Join(values, ","), ",") {
		coding, parameter, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return wanted(parameter)
		case "*":
			everything = wanted(parameter)
		}
	}
	return everything
}

// wanted reports whether a coding with this parameter ("q=0.5", or nothing) may be used.
func wanted(parameter string) bool {
	weight, given := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameter)), "q=")
	if !given {
		return true
	}
	q, err := strconv.ParseFloat(weight, 64)
	return err == nil && q > 0
}

// index reads every embedded file once and works out its hash: a few milliseconds at start. Compressing is left for the
// first request, as it takes a hundred times longer.
func index(files fs.FS) (names, served map[string]*file) {
	names, served = map[string]*file{}, map[string]*file{}
	err := fs.WalkDir(files, ".", func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, at)
		if err != nil {
			return err
		}
		name := path.Base(at)
		if names[name] != nil {
			return fmt.Errorf("two files are named %q", name)
		}
		f := newFile(name, content)
		names[name], served[f.served] = f, f
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("static: reading the embedded files: %v", err))
	}
	return names, served
}

func newFile(name string, content []byte) *file {
	ext := path.Ext(name)
	contentType, ok := contentTypes[ext]
	if !ok {
		panic(fmt.Sprintf("static: no content type for %q", name))
	}
	sum := sha256.Sum256(content)
	return &file{
		served:      strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:])[:12] + ext,
		contentType: contentType,
		plain:       content,
		zipped:      sync.OnceValue(func() []byte { return zip(content) }),
	}
}

func zip(content []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(fmt.Sprintf("static: compressing into memory: %v", err))
	}
	return out.Bytes()
}
