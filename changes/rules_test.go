package changes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"callboard/store"
)

// findings are written as "id" for fine, "id?" for a warning and "id!" for a fault.
func findings(r URLReport) string {
	marks := map[string]string{Fine: "", Warning: "?", Fault: "!"}
	list := make([]string, 0, len(r.Findings))
	for _, f := range r.Findings {
		list = append(list, f.ID+marks[f.Level])
	}
	return strings.Join(list, " ")
}

func labels(n, length int) string {
	return strings.TrimSuffix(strings.Repeat(strings.Repeat("a", length)+".", n), ".")
}

// TestURLRules has a row for everything that a person can type, and for every rule at least one.
func TestURLRules(t *testing.T) {
	at := func(url string) store.Configuration { return config(url, createRoom) }
	none := store.None
	long := func(n int) string { return "https://h.example/" + strings.Repeat("a", n-len("https://h.example/")) }
	host253 := labels(3, 63) + "." + strings.Repeat("b", 61)
	const fine = "https host no_query"
	tests := []struct {
		typed string
		cloud store.Configuration
		want  string
	}{
		{"https://hooks.example.test/live", none, fine},
		{"https://hooks.example.test", none, fine},
		{"https://HOOKS.example.TEST/a/b", none, fine},
		{"https://a-b.c-d.example/", none, fine},
		{"https://1a.example/", none, fine},
		{"https://hooks.example.test/%C3%BC", none, fine},
		{"http://hooks.example.test/", none, "http? host no_query"},

		{"", none, "url_missing!"},
		{"   ", none, "url_missing!"},
		{"\t\n", none, "url_missing!"},
		{" https://h.example/ ", none, fine},
		{"\u3000https://h.example/\u00a0", none, fine},
		{long(2048), none, fine},
		{long(2049), none, "url_long!"},
		{"https://h.example/" + strings.Repeat("é", 1020), none, "url_long!"},
		{"https://h.example/a\x00b", none, "url_control!"},
		{"https://h.example/a\nb", none, "url_control!"},
		{"https://h.example/a\tb", none, "url_control!"},
		{"https://h.example/a\x7fb", none, "url_control!"},
		{"https://h.example/a\u0085b", none, "url_control!"},
		{"https://h.example/a b", none, "url_space!"},
		{"https://h.example/a\u00a0b", none, "url_space!"},
		{"https://h.example/a\u2003b", none, "url_space!"},
		{`https://h.example\a`, none, "url_space!"},
		{"https://h.example/\xff", none, "url_form!"},
		{"https://h.example/%zz", none, "url_form!"},
		{"https://h.example:x/", none, "url_form!"},
		{"https://[::1/", none, "url_form!"},
		{"https://%41.example/", none, "url_form!"},
		{"https:h.example", none, "url_form!"},
		{"mailto:mei@example.test", none, "url_form!"},
		{"javascript:alert(1)", none, "url_form!"},
		{"1http://h.example", none, "url_form!"},

		{"ftp://h.example/", none, "scheme! host no_query"},
		{"HTTPS://h.example/", none, "scheme! host no_query"},
		{"Http://h.example/", none, "scheme! host no_query"},
		{"//h.example/", none, "scheme! no_query"},
		{"h.example/live", none, "scheme! no_query"},
		{"/live", none, "scheme! no_query"},
		{"file:///etc/passwd", none, "scheme! host_missing! no_query"},
		{"https:///live", none, "https host_missing! no_query"},
		{"https://:443/live", none, "https host_missing! no_query"},
		{"https:/h.example", none, "https host_missing! no_query"},
		{"https://mei@h.example/", none, "https userinfo! no_query"},
		{"https://mei:pw@h.example/", none, "https userinfo! no_query"},
		{"https://@h.example/", none, "https userinfo! no_query"},

		{"https://" + labels(1, 63) + ".example/", none, fine},
		{"https://" + labels(1, 64) + ".example/", none, "https host_label_long! no_query"},
		{"https://" + host253 + "/", none, fine},
		{"https://" + host253 + "b/", none, "https host_long! no_query"},
		{"https://h..example/", none, "https host_empty_label! no_query"},
		{"https://.h.example/", none, "https host_empty_label! no_query"},
		{"https://h.example./", none, "https host_empty_label! no_query"},
		{"https://-h.example/", none, "https host_hyphen! no_query"},
		{"https://h-.example/", none, "https host_hyphen! no_query"},
		{"https://a--b.example/", none, "https host_hyphen! no_query"},
		{"https://-/", none, "https host_hyphen! no_query"},
		{"https://xn--mnchen-3ya.example/", none, fine},
		{"https://XN--mnchen-3ya.example/", none, fine},
		{"https://xn--.example/", none, "https host_hyphen! no_query"},
		{"https://xn--a--b.example/", none, "https host_hyphen! no_query"},
		{"https://münchen.example/", none, "https host_letters! no_query"},
		{"https://m%C3%BCnchen.example/", none, "https host_letters! no_query"},
		{"https://a_b.example/", none, "https host_letters! no_query"},
		{"https://a!b.example/", none, "https host_letters! no_query"},
		{"https://intranet/", none, "https host_single? no_query"},

		{"http://123.123.123.123/imcallback", none, "http? host_ip no_query"},
		{"https://[2001:db8::1]/", none, "https host_v6! no_query"},
		{"https://[::ffff:10.0.0.1]/", none, "https host_v6! no_query private?"},
		{"https://1.2.3/", none, "https host_number! no_query"},
		{"https://1.2.3.256/", none, "https host_number! no_query"},
		{"https://1.2.3.04/", none, "https host_number! no_query"},
		{"https://2130706433/", none, "https host_number! no_query"},
		{"https://0x7f.1/", none, "https host_number! no_query"},
		{"https://0x7f000001/", none, "https host_number! no_query"},
		{"https://a.0X1f/", none, "https host_number! no_query"},
		{"https://a.0x/", none, "https host_number! no_query"},
		{"https://a.0xyz/", none, fine},

		{"https://h.example:443/", none, fine},
		{"https://h.example:1/", none, fine},
		{"https://h.example:65535/", none, fine},
		{"https://h.example:0/", none, "https host no_query port!"},
		{"https://h.example:65536/", none, "https host no_query port!"},
		{"https://h.example:99999999999999999999/", none, "https host no_query port!"},
		{"https://h.example:0443/", none, "https host no_query port!"},
		{"https://h.example:/", none, "https host no_query port!"},

		{"https://h.example/?a=b", none, "https host query?"},
		{"https://h.example/?", none, "https host query?"},
		{"https://h.example/#a", none, "https host fragment!"},
		{"https://h.example/#", none, "https host fragment!"},
		{"https://h.example/?a=b#", none, "https host fragment!"},
		{"https://h.example/ü", none, "https host no_query path_ascii?"},
		{"https://h.example/ü!", none, "https host no_query path_ascii?"},
		{"https://h.example/a!", none, "https host no_query path_signs?"},
		{"https://h.example/a$b", none, "https host no_query path_signs?"},
		{"https://h.example/a&b", none, "https host no_query path_signs?"},
		{"https://h.example/%21%24%26", none, fine},

		{"https://localhost/", none, "https host_single? no_query private?"},
		{"https://a.LocalHost/", none, "https host no_query private?"},
		{"https://printer.local/", none, "https host no_query private?"},
		{"https://a.internal/", none, "https host no_query private?"},
		{"https://127.0.0.1/", none, "https host_ip no_query private?"},
		{"https://10.255.0.1/", none, "https host_ip no_query private?"},
		{"https://172.16.0.1/", none, "https host_ip no_query private?"},
		{"https://172.31.255.255/", none, "https host_ip no_query private?"},
		{"https://172.32.0.1/", none, "https host_ip no_query"},
		{"https://192.168.1.1/", none, "https host_ip no_query private?"},
		{"https://169.254.169.254/", none, "https host_ip no_query private?"},
		{"https://100.64.0.1/", none, "https host_ip no_query private?"},
		{"https://100.128.0.1/", none, "https host_ip no_query"},
		{"https://0.0.0.0/", none, "https host_ip no_query private?"},
		{"https://224.0.0.1/", none, "https host_ip no_query private?"},
		{"https://255.255.255.255/", none, "https host_ip no_query private?"},
		{"https://203.0.113.9/", none, "https host_ip no_query private?"},
		{"https://8.8.8.8/", none, "https host_ip no_query"},

		{"https://h.example/b", at("https://h.example/a"), fine + " no_port_prefix"},
		{"https://h.example/b", at("https://H.EXAMPLE/a"), fine + " no_port_prefix"},
		{"https://g.example/", at("https://h.example/"), fine + " host_changes? no_port_prefix"},
		{"https://g.example:4433/", at("https://h.example/"), fine + " host_changes? no_port_prefix"},
		{"https://h.example:4433/", at("https://h.example/"), fine + " host_changes? port_prefix?"},
		{"https://h.example/", at("https://h.example:4433/"), fine + " host_changes? port_prefix?"},
		{"https://h.example:4433/", at("https://h.example:443/"), fine + " host_changes? port_prefix?"},
		{"https://H.example:44/", at("https://h.example:443/"), fine + " host_changes? port_prefix?"},
		{"https://h.example:8080/", at("http://h.example/"), fine + " host_changes? port_prefix?"},
		{"http://h.example/", at("https://h.example:8080/"), "http? host no_query host_changes? port_prefix?"},
		{"https://h.example:9443/", at("https://h.example:443/"), fine + " host_changes? no_port_prefix"},
		{"https://h.example:443/", at("https://h.example/"), fine + " host_changes? no_port_prefix"},
		{"https://h.example/", at("http://h.example/"), fine + " no_port_prefix"},
		{"https://h.example/", at("no url"), fine},

		{"https://mei@h.example/#x", at("https://mei@h.example/#x"), "https userinfo? fragment? no_port_prefix"},
		{"https://mei@h.example/#y", at("https://mei@h.example/#x"), "https userinfo! fragment! no_port_prefix"},
		{" https://a_b.example/ ", at("https://a_b.example/"), "https host_letters? no_query no_port_prefix"},
		{" https://h.example/", at(" https://h.example/"), "url_space?"},
		{"https://h.example/", at(" https://h.example/"), fine},
		{"ftp:x", at("ftp:x"), "url_form?"},
		{"", at(""), "url_missing?"},
		{"", none, "url_missing!"},
		{long(3000), at(long(3000)), "url_long?"},
		{"https://h.example/a\x00", at("https://h.example/a\x00"), "url_control?"},
	}
	seen := map[string]bool{}
	for _, test := range tests {
		r := CheckURL(test.typed, test.cloud)
		if got := findings(r); got != test.want {
			t.Errorf("%.80q (cloud %.80q):\ngot  %s\nwant %s", test.typed, test.cloud.URL(), got, test.want)
		}
		faults := 0
		for _, f := range r.Findings {
			seen[f.ID] = true
			if f.Level == Fault {
				faults++
			}
		}
		if len(r.Faults()) != faults {
			t.Errorf("%.80q: Faults gives %v", test.typed, r.Faults())
		}
		if stays := !test.cloud.IsNone() && r.URL == test.cloud.URL(); stays && faults > 0 {
			t.Errorf("%.80q has faults, though it stays", test.typed)
		}
	}
	for _, id := range ruleIDs {
		if !seen[id] {
			t.Errorf("no row for the rule %s", id)
		}
		delete(seen, id)
	}
	if len(seen) > 0 {
		t.Errorf("rules that are not in the list: %v", seen)
	}
}

// ruleIDs are all rules; each has a sentence in the catalogues.
var ruleIDs = strings.Fields(`url_missing url_long url_control url_space url_form https http scheme userinfo host_missing host_long host_ip host_v6 host_number
	host_empty_label host_label_long host_hyphen host_letters host_single host fragment query no_query port path_ascii path_signs private host_changes port_prefix no_port_prefix`)

// TestURLParts compares the parts and the arguments of sentences.
func TestURLParts(t *testing.T) {
	tests := []struct {
		typed string
		cloud string
		want  URLReport
		args  string
	}{
		{" https://H.example/a%20b?x=1 ", "", URLReport{URL: "https://H.example/a%20b?x=1", Trimmed: true, Parsed: true, Scheme: "https", Host: "H.example", Port: "443", Default: true, Path: "/a%20b", Query: "x=1"}, ""},
		{"http://h.example", "", URLReport{URL: "http://h.example", Parsed: true, Scheme: "http", Host: "h.example", Port: "80", Default: true}, ""},
		{"http://h.example:8080/", "https://h.example:808/", URLReport{URL: "http://h.example:8080/", Parsed: true, Scheme: "http", Host: "h.example", Port: "8080", Path: "/"},
			"host_changes map[new:h.example:8080 old:h.example:808] port_prefix map[new:8080 old:808]"},
		{"https://h.example:443/", "", URLReport{URL: "https://h.example:443/", Parsed: true, Scheme: "https", Host: "h.example", Port: "443", Path: "/"}, ""},
		{"https://a.-b.example/", "", URLReport{URL: "https://a.-b.example/", Parsed: true, Scheme: "https", Host: "a.-b.example", Port: "443", Default: true, Path: "/"}, "host_hyphen map[label:-b]"},
		{"https://local/", "", URLReport{URL: "https://local/", Parsed: true, Scheme: "https", Host: "local", Port: "443", Default: true, Path: "/"}, "host_single map[host:local]"},
		{"https://10.0.0.1/", "", URLReport{URL: "https://10.0.0.1/", Parsed: true, Scheme: "https", Host: "10.0.0.1", Port: "443", Default: true, Path: "/"}, "private map[host:10.0.0.1]"},
		{"a b", "", URLReport{URL: "a b"}, ""},
		{strings.Repeat("x", 2050), "", URLReport{URL: strings.Repeat("x", 2050)}, "url_long map[bytes:2050 limit:2048]"},
	}
	for _, test := range tests {
		cloud := store.None
		if test.cloud != "" {
			cloud = config(test.cloud)
		}
		r := CheckURL(test.typed, cloud)
		var args []string
		for _, f := range r.Findings {
			if f.Args != nil {
				args = append(args, fmt.Sprint(f.ID, " ", f.Args))
			}
		}
		if got := strings.Join(args, " "); got != test.args {
			t.Errorf("%.60q: arguments %s, want %s", test.typed, got, test.args)
		}
		r.Findings = nil
		if diff := cmp.Diff(test.want, r); diff != "" {
			t.Errorf("%.60q (-want +got):\n%s", test.typed, diff)
		}
	}
}

func TestHostPort(t *testing.T) {
	for address, want := range map[string]string{"https://h.example/x": "h.example", "https://h.example:8443/": "h.example:8443", "https://[2001:db8::1]:1/": "[2001:db8::1]:1",
		"https://[2001:db8::1]/": "2001:db8::1", "": "", "https://h\x00": ""} {
		if got := HostPort(address); got != want {
			t.Errorf("HostPort(%q) = %q, want %q", address, got, want)
		}
	}
}
