package tencent

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

func TestMask(t *testing.T) {
	const key, token, odd = "k3y/+=&?<\"\\ é😀z", "demo-token-1", "ab"
	rows := []struct{ name, text, want string }{
		{"nothing to hide", `{"ActionStatus":"OK","ErrorCode":0}`, `{"ActionStatus":"OK","ErrorCode":0}`},
		{"plain", `x ` + key + ` y ` + token + ` z`, `x [removed] y [removed] z`},
		{"twice in a row", token + token, `[removed][removed]`},
		{"JSON", `{"a":` + quoted(key) + `}`, `{"a":"[removed]"}`},
		{"JSON in JSON", `{"a":` + quoted(`{"b":`+quoted(key)+`}`) + `}`, `{"a":"{\"b\":\"[removed]\"}"}`},
		{"all escaped", allEscaped(key), `[removed]`},
		{"all escaped, upper case", strings.ToUpper(strings.ReplaceAll(allEscaped(token), `\u`, "\x00")), ``},
		{"query", `q=` + url.QueryEscape(key) + `&x`, `q=[removed]&x`},
		{"query, lower case", `q=` + lowerPercent(url.QueryEscape(key)) + `&x`, `q=[removed]&x`},
		{"path", url.PathEscape(key), `[removed]`},
		{"query twice", url.QueryEscape(url.QueryEscape(key)), ``},
		{"every byte in percent", everyPercent(token), `[removed]`},
		{"HTML", `<p>` + html.EscapeString(key) + `</p>`, `<p>[removed]</p>`},
		{"text ends inside", `key is ` + token[:9], `key is [removed]`},
		{"text ends inside an escape", `key is ` + everyPercent(token[:9]) + `%6`, `key is [removed]`},
		{"text ends inside a character", `key is ` + key[:15], `key is [removed]`},
		{"shortened in the middle", `key is ` + testKey[:16] + `... or ` + testKey[:15] + `...`, `key is [removed]... or ` + testKey[:15] + `...`},
		{"text ends after a few", `key is ` + token[:3], `key is dem`},
		{"short secret alone", `say ab, (ab) "ab"`, `say [removed], ([removed]) "[removed]"`},
		{"short secret in a word", `abc cab 1ab ab1`, `abc cab 1ab ab1`},
		{"almost", `demo-token-2 Demo-token-1`, `demo-token-2 Demo-token-1`},
		{"field", `{"Token":"other","n":1}`, `{"Token":"[removed]","n":1}`},
		{"field in another case", `{"tOKEN" : "oth\"er", "n":1}`, `{"tOKEN" : "[removed]", "n":1}`},
		{"field with escaped name", `{"\u0054oken":"other"}`, `{"\u0054oken":"[removed]"}`},
		{"field in a text", `{"Info":"{\"Token\":\"other\",\"n\":1}"}`, `{"Info":"{\"Token\":\"[removed]\",\"n\":1}"}`},
		{"field is a number", `{"Token":12345,"n":1}`, `{"Token":[removed],"n":1}`},
		{"field is a list", `{"Token":["a","]",{"b":2}],"n":1}`, `{"Token":[removed],"n":1}`},
		{"field is last", `{"n":1,"Token":null}`, `{"n":1,"Token":[removed]}`},
		{"field without end", `{"Token":"oth`, `{"Token":"[removed]"`},
		{"field ends in backslashes", `{"Token":"a\\","n":"b"}`, `{"Token":"[removed]","n":"b"}`},
		{"another field", `{"IsTokenEnable":true,"TokenX":"a","XToken":"b"}`, `{"IsTokenEnable":true,"TokenX":"a","XToken":"b"}`},
		{"name without a value", `{"Token"`, `{"Token"`},
		{"name as a value", `["Token","other"]`, `["Token","other"]`},
		{"name and colon", `{"Token":`, `{"Token":`},
		{"backslashes", strings.Repeat(`\`, 100), strings.Repeat(`\`, 100)},
	}
	m := newMasker(key, token, odd, testKey, "")
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			masked, cut := m.mask([]byte(row.text), len(row.text)+100)
			if cut {
				t.Error("cut")
			}
			if row.want == "" {
				if bytes.Contains(masked, []byte(key)) || bytes.Contains(masked, []byte(token)) {
					t.Errorf("%s", masked)
				}
				return
			}
			if diff := cmp.Diff(row.want, string(masked)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestMaskEncoded hides secrets inside base64, wherever they begin in it.
func TestMaskEncoded(t *testing.T) {
	const token = "CanaryTok3n?ZZ>77"
	m := newMasker(token, testKey, "", "ab", "abcde")
	for _, secret := range []string{token, testKey} {
		for _, around := range [][2]string{{"", ""}, {"a", ""}, {"ab", "z"}, {"abc", "zz"}, {"{\"token\":\"", "\"}"}} {
			for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
				text := alphabet.EncodeToString([]byte(around[0] + secret + around[1]))
				got, _ := m.mask([]byte(quoted("so "+text)), 1000)
				rest := len(got) - len(`"so [removed]"`)
				if edges := (len(around[0])+len(around[1]))*4/3 + 8; !bytes.Contains(got, []byte(removed)) || rest > edges {
					t.Errorf("%q around it: %s", around, got)
				}
			}
		}
	}
	const innocent = "The quick brown fox, YWJj and YWI="
	if got, _ := m.mask([]byte(innocent), 1000); string(got) != innocent {
		t.Errorf("%s", got)
	}
}

func TestMaskBytesThatAreNoText(t *testing.T) {
	m := newMasker("a\xff\xfebcd")
	got, _ := m.mask([]byte("x a\xff\xfebcd a%FF%febcd y"), 100)
	if string(got) != "x [removed] [removed] y" {
		t.Errorf("%q", got)
	}
}

func TestMaskThenCut(t *testing.T) {
	m := newMasker(testKey)
	text := strings.Repeat("x", 90) + testKey + strings.Repeat("y", 90)
	for limit := range len(text) {
		got, cut := m.mask([]byte(text), limit)
		whole := strings.Repeat("x", 90) + removed + strings.Repeat("y", 90)
		if string(got) != whole[:min(limit, len(whole))] || cut != (limit < len(whole)) {
			t.Fatalf("limit %d: %q, cut %v", limit, got, cut)
		}
	}
}

func quoted(s string) string {
	raw, _ := json.Marshal(s)
	return string(raw)
}

func allEscaped(s string) string {
	var out strings.Builder
	for _, half := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&out, `\u%04x`, half)
	}
	return out.String()
}

func everyPercent(s string) string {
	var out strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&out, "%%%02x", s[i])
	}
	return out.String()
}

func lowerPercent(s string) string {
	out := []byte(s)
	for i := range out {
		if i >= 1 && out[i-1] == '%' || i >= 2 && out[i-2] == '%' {
			out[i] |= 0x20 * boolByte(out[i] >= 'A' && out[i] <= 'F')
		}
	}
	return string(out)
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// A server that sends back all it got, in many spellings and in every field, learns nothing into the reply.
func TestReplyNeverShowsSecrets(t *testing.T) {
	const token = `tok/en+"1"=é`
	spell := map[string]func(string) string{
		"raw":          func(s string) string { return s },
		"json":         func(s string) string { return strings.Trim(quoted(s), `"`) },
		"json in json": func(s string) string { return strings.Trim(quoted(quoted(s)), `"`) },
		"escaped":      allEscaped,
		"query":        url.QueryEscape,
		"query twice":  func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
		"percent":      everyPercent,
		"html":         html.EscapeString,
		"cut":          func(s string) string { return s[:len(s)-2] },
	}
	for name, how := range spell {
		for _, status := range []int{200, 502} {
			t.Run(fmt.Sprintf("%s %d", name, status), func(t *testing.T) {
				var sig string
				base := serve(t, func(w http.ResponseWriter, r *http.Request) {
					sig = r.URL.Query().Get("usersig")
					all := how(sig) + " " + how(testKey) + " " + how(token)
					if name == "cut" {
						// Only a text's very end may hold half a secret.
						all = how(sig)
					}
					w.WriteHeader(status)
					_, _ = fmt.Fprintf(w, `{"ActionStatus":%q,"ErrorCode":1,"ErrorInfo":%s,"RequestId":%s,"Token":"another","x":"%s"} %s`, all, quoted(all), quoted(all), all, all)
				})
				c := newClient(t, Options{})
				value := Secret(token)
				reply := c.SetToken(t.Context(), target(base), 1, TokenChange{Value: &value})
				shown := everything(t, reply)
				for _, secret := range []string{sig, testKey, token, "another"} {
					for other, spelled := range spell {
						if strings.Contains(shown, spelled(secret)) && spelled(secret) != "" {
							t.Errorf("shows a secret spelled as %s in %.300s", other, shown)
						}
					}
				}
				if reply.AnswerSize == 0 || len(reply.Answer) == 0 || reply.ErrorInfo == "" || reply.RequestID == "" {
					t.Errorf("nothing kept: %+v", reply)
				}
			})
		}
	}
}

func TestAnswersThatCannotBeMaskedAreNotKept(t *testing.T) {
	many := `{"ActionStatus":"OK","ErrorCode":0,"Response":[` + strings.Repeat(`{"Token":"t"},`, tokenLimit) + `{"Token":"t"}]}`
	rows := []struct{ name, coding, body string }{
		{"coded", "gzip", "\x1f\x8bsecret"},
		{"very many tokens", "", many},
	}
	for _, row := range rows {
		base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if row.coding != "" {
				w.Header().Set("Content-Encoding", row.coding)
			}
			_, _ = io.WriteString(w, row.body)
		})
		reply := update(newClient(t, Options{}), target(base), 1)
		if len(reply.Answer) != 0 || !reply.AnswerCut || reply.AnswerSize != len(row.body) {
			t.Errorf("%s: kept %q, cut %v, size %d", row.name, reply.Answer, reply.AnswerCut, reply.AnswerSize)
		}
	}
}

func TestTokensIn(t *testing.T) {
	got := tokensIn([]byte(`{"Token":"a","x":{"tOken":"b","y":"no"},"Token":["c",{"z":"d"},["e"]],"n":["Token","no"],"Token":1,"Toke\u006e":"f","k":"no","Response":{"Token":"g","IsTokenEnable":true,"u":"no"}}`))
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e", "f", "g"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	const hidden = "hidden-value"
	s := Secret(hidden)
	g := target("http://h")
	g.Key = hidden
	var out strings.Builder
	for _, value := range []any{s, &s, []Secret{s}, map[string]Secret{"k": s}, struct{ S Secret }{s}, g, Token{Value: s}, TokenChange{Value: &s}, fmt.Errorf("wrapped %w %v", io.EOF, s)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%-5.2v"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		fmt.Fprintln(&out, value)
		if raw, err := json.Marshal(value); err == nil {
			out.Write(raw)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "value", value)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "value", value)
	}
	for _, spelled := range []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden)} {
		if strings.Contains(out.String(), spelled) {
			t.Errorf("printed as %s", spelled)
		}
	}
	if s.Reveal() != hidden || fmt.Sprint(s) != "[secret]" || s.String() != "[secret]" || s.GoString() != "[secret]" {
		t.Error("Reveal or String is wrong")
	}
}
