package static_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"callboard/static"
)

// served lists every file that has an address, with its place in this folder and its content type.
var served = []struct{ name, at, contentType string }{
	{"callboard.css", "callboard.css", "text/css; charset=utf-8"},
	{"callboard.js", "callboard.js", "text/javascript; charset=utf-8"},
	{"icons.svg", "icons.svg", "image/svg+xml; charset=utf-8"},
	{"favicon.svg", "favicon.svg", "image/svg+xml; charset=utf-8"},
	{"icons.license.txt", "icons.license.txt", "text/plain; charset=utf-8"},
	{"tabler.min.css", "vendor/tabler.min.css", "text/css; charset=utf-8"},
	{"tabler.license.txt", "vendor/tabler.license.txt", "text/plain; charset=utf-8"},
	{"htmx.min.js", "vendor/htmx.min.js", "text/javascript; charset=utf-8"},
	{"htmx.license.txt", "vendor/htmx.license.txt", "text/plain; charset=utf-8"},
}

func read(t *testing.T, at string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.FromSlash(at))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func get(method, address string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address, nil)
	r.Header = header
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, r)
	return w
}

func encodings(values ...string) http.Header { return http.Header{"Accept-Encoding": values} }

func TestPathCarriesHashOfContent(t *testing.T) {
	for _, f := range served {
		sum := sha256.Sum256(read(t, f.at))
		ext := filepath.Ext(f.name)
		want := "/static/" + strings.TrimSuffix(f.name, ext) + "-" + hex.EncodeToString(sum[:])[:12] + ext
		if got := static.Path(f.name); got != want {
			t.Errorf("Path(%q) = %q, want %q", f.name, got, want)
		}
	}
}

func TestPathPanicsOnUnknownName(t *testing.T) {
	for _, name := range []string{"", "callboard", "callboard.css ", "vendor/tabler.min.css", "static.go", "SHA256SUMS"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Path(%q) did not panic", name)
				}
			}()
			static.Path(name)
		}()
	}
}

func TestEveryFileIsServed(t *testing.T) {
	for _, f := range served {
		content := read(t, f.at)
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			w := get(method, static.Path(f.name), nil)
			type answer struct {
				Status                                                int
				Type, Length, Cache, Nosniff, Vary, Encoding, Content string
			}
			want := answer{200, f.contentType, strconv.Itoa(len(content)), "public, max-age=31536000, immutable", "nosniff", "Accept-Encoding", "", string(content)}
			if method == http.MethodHead {
				want.Content = ""
			}
			h := w.Header()
			got := answer{w.Code, h.Get("Content-Type"), h.Get("Content-Length"), h.Get("Cache-Control"), h.Get("X-Content-Type-Options"), h.Get("Vary"), h.Get("Content-Encoding"), w.Body.String()}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s (-want +got):\n%.2000s", method, f.name, diff)
			}
		}
	}
}

func TestCompressedWhenTaken(t *testing.T) {
	cases := []struct {
		name     string
		accept   []string
		encoding string
	}{
		{"nothing said", nil, ""},
		{"gzip", []string{"gzip"}, "gzip"},
		{"a browser", []string{"gzip, deflate, br, zstd"}, "gzip"},
		{"last of several", []string{"br;q=1.0, GZIP;q=0.1"}, "gzip"},
		{"two lines", []string{"br", "gzip"}, "gzip"},
		{"old name", []string{"x-gzip"}, "gzip"},
		{"everything", []string{"*"}, "gzip"},
		{"everything, not gzip", []string{"*, gzip;q=0"}, ""},
		{"gzip, not everything", []string{"*;q=0, gzip"}, "gzip"},
		{"refused", []string{"gzip;q=0"}, ""},
		{"refused with digits", []string{"gzip; q=0.000"}, ""},
		{"weight that is no number", []string{"gzip;q=much"}, ""},
		{"only others", []string{"br, identity"}, ""},
		{"a name that holds it", []string{"notgzip, gzipped"}, ""},
		{"empty", []string{""}, ""},
	}
	content := read(t, "callboard.css")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := get(http.MethodGet, static.Path("callboard.css"), encodings(c.accept...))
			if got := w.Header().Get("Content-Encoding"); got != c.encoding {
				t.Fatalf("Content-Encoding %q, want %q", got, c.encoding)
			}
			if got := w.Header().Get("Vary"); got != "Accept-Encoding" {
				t.Errorf("Vary %q", got)
			}
			if got := w.Header().Get("Content-Length"); got != strconv.Itoa(w.Body.Len()) {
				t.Errorf("Content-Length %s for %d bytes", got, w.Body.Len())
			}
			if c.encoding == "gzip" && w.Body.Len() > len(content)/2 {
				t.Errorf("compressed to %d of %d bytes only", w.Body.Len(), len(content))
			}
			if got := plain(t, w); !bytes.Equal(got, content) {
				t.Errorf("%d bytes after unpacking, want the %d of the file", len(got), len(content))
			}
		})
	}
}

func TestHeadOfCompressedFileHasItsLength(t *testing.T) {
	whole := get(http.MethodGet, static.Path("tabler.min.css"), encodings("gzip"))
	head := get(http.MethodHead, static.Path("tabler.min.css"), encodings("gzip"))
	if head.Body.Len() != 0 || head.Header().Get("Content-Length") != strconv.Itoa(whole.Body.Len()) {
		t.Errorf("HEAD: %d bytes, Content-Length %q; GET had %d bytes", head.Body.Len(), head.Header().Get("Content-Length"), whole.Body.Len())
	}
}

func TestRefusals(t *testing.T) {
	css := static.Path("callboard.css")
	older := regexp.MustCompile(`-[0-9a-f]{12}`).ReplaceAllString(css, "-0123456789ab")
	cases := []struct {
		name, method, address string
		status                int
		allow                 string
	}{
		{"folder", "GET", "/static/", 404, ""},
		{"folder without slash", "GET", "/static", 404, ""},
		{"vendor folder", "GET", "/static/vendor/", 404, ""},
		{"unknown", "GET", "/static/nothing.css", 404, ""},
		{"name without hash", "GET", "/static/callboard.css", 404, ""},
		{"older content", "GET", older, 404, ""},
		{"older content, HEAD", "HEAD", older, 404, ""},
		{"longer hash", "GET", strings.Replace(css, ".css", "0.css", 1), 404, ""},
		{"another ending", "GET", strings.Replace(css, ".css", ".js", 1), 404, ""},
		{"way out", "GET", "/static/../static.go", 404, ""},
		{"way out and in", "GET", "/static/../static/" + strings.TrimPrefix(css, "/static/"), 404, ""},
		{"upper case", "GET", strings.ToUpper(css), 404, ""},
		{"name after another folder", "GET", strings.Replace(css, "/static/", "/", 1), 404, ""},
		{"POST", "POST", css, 405, "GET, HEAD"},
		{"PUT", "PUT", css, 405, "GET, HEAD"},
		{"DELETE", "DELETE", css, 405, "GET, HEAD"},
		{"OPTIONS", "OPTIONS", css, 405, "GET, HEAD"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := get(c.method, c.address, encodings("gzip"))
			h := w.Header()
			got := []any{w.Code, h.Get("Allow"), h.Get("Cache-Control"), h.Get("X-Content-Type-Options"), h.Get("Content-Encoding")}
			want := []any{c.status, c.allow, "no-store", "nosniff", ""}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(w.Body.String(), "callboard") {
				t.Errorf("the refusal names files: %q", w.Body.String())
			}
		})
	}
}

func TestManyAtOnce(t *testing.T) {
	content := read(t, "vendor/htmx.min.js")
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if got := plain(t, get(http.MethodGet, static.Path("htmx.min.js"), encodings("gzip"))); !bytes.Equal(got, content) {
				t.Errorf("%d bytes, want %d", len(got), len(content))
			}
		})
	}
	all.Wait()
}

func TestVendorIsAsPublished(t *testing.T) {
	for _, folder := range []string{"vendor", "../e2e/vendor"} {
		sums, found := map[string]string{}, map[string]string{}
		lines := bufio.NewScanner(bytes.NewReader(read(t, folder+"/SHA256SUMS")))
		for lines.Scan() {
			sum, name, ok := strings.Cut(lines.Text(), "  ")
			if !ok {
				t.Fatalf("%s/SHA256SUMS: %q is no line of sha256sum", folder, lines.Text())
			}
			sums[name] = sum
		}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != "SHA256SUMS" {
				sum := sha256.Sum256(read(t, folder+"/"+e.Name()))
				found[e.Name()] = hex.EncodeToString(sum[:])
			}
		}
		if diff := cmp.Diff(sums, found); diff != "" || len(found) < 3 {
			t.Errorf("%s: SHA256SUMS against the files (-sums +files):\n%s", folder, diff)
		}
	}
}

// TestSpriteIsWellFormed reads the sprite as XML; that each symbol shows something is seen in a browser (e2e/assets).
func TestSpriteIsWellFormed(t *testing.T) {
	ids, shapes, current := map[string]int{}, map[string]int{}, ""
	d := xml.NewDecoder(bytes.NewReader(read(t, "icons.svg")))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		switch {
		case !ok || start.Name.Local == "svg":
		case start.Name.Local == "symbol":
			current = attr(start, "id")
			ids[current]++
			if box := attr(start, "viewBox"); box != "0 0 24 24" {
				t.Errorf("%s: viewBox %q", current, box)
			}
		default:
			shapes[current]++
			if attr(start, "style") != "" {
				t.Errorf("%s has a style attribute, which the policy forbids", current)
			}
		}
	}
	for id, times := range ids {
		if times != 1 || shapes[id] == 0 {
			t.Errorf("symbol %q: %d times, %d shapes", id, times, shapes[id])
		}
	}
	for _, id := range strings.Fields("mark archive key sun moon device-desktop language list settings adjustments shield door cloud clock ban external-link check minus copy x") {
		if ids[id] != 1 {
			t.Errorf("symbol %q is missing", id)
		}
	}
}

func TestScriptStaysSmall(t *testing.T) {
	if n := len(read(t, "callboard.js")); n >= 10_000 {
		t.Errorf("callboard.js has %d bytes, fewer than 10,000 are allowed", n)
	}
}

// TestNothingForeignInOurFiles keeps what the policy forbids, and other servers, out of the files we write ourselves.
func TestNothingForeignInOurFiles(t *testing.T) {
	cases := []struct{ at, pattern string }{
		{"callboard.css", `(?i)url\(|@import|@font-face|https?://`},
		{"callboard.js", `(?i)\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|https?://`},
		{"icons.svg", `(?i)<script|\son\w+=|xlink|<style|url\(`},
		{"favicon.svg", `(?i)<script|\son\w+=|xlink|<style|url\(`},
	}
	for _, c := range cases {
		if found := regexp.MustCompile(c.pattern).FindAllString(string(read(t, c.at)), -1); found != nil {
			t.Errorf("%s holds %q", c.at, found)
		}
	}
}

func BenchmarkHandler(b *testing.B) {
	for b.Loop() {
		if w := get(http.MethodGet, static.Path("tabler.min.css"), encodings("gzip")); w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// plain gives an answer's content without its encoding.
func plain(t *testing.T, w *httptest.ResponseRecorder) []byte {
	t.Helper()
	if w.Header().Get("Content-Encoding") != "gzip" {
		return w.Body.Bytes()
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Error(err)
		return nil
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Error(err)
	}
	return content
}
