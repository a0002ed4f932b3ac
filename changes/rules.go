package changes

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"callboard/store"
)

// Levels of a finding.
const (
	Fine    = "ok"
	Warning = "care"
	Fault   = "bad"
)

// Finding is what one rule says about a typed URL. ID names a sentence "rule.<id>".
type Finding struct {
	ID    string
	Level string
	Args  map[string]any
}

// URLReport is what is known of a typed URL.
type URLReport struct {
	URL      string // trimmed
	Trimmed  bool
	Parsed   bool // whether the parts below are known
	Scheme   string
	Host     string
	Port     string
	Default  bool // the port is the scheme's own
	Path     string
	Query    string
	Findings []Finding
}

// MaxURL is the longest callback URL, in bytes. Tencent documents no limit.
const MaxURL = 2048

// CheckURL judges a typed URL against the rules of Tencent's console (647/74157) and against what the cloud has.
// A URL that equals the cloud's may stay: its faults are warnings.
func CheckURL(typed string, cloud store.Configuration) URLReport {
	stays := !cloud.IsNone() && typed == cloud.URL()
	r := URLReport{URL: typed}
	if !stays {
		r.URL = strings.TrimSpace(typed)
		r.Trimmed = r.URL != typed
		stays = !cloud.IsNone() && r.URL == cloud.URL()
	}
	u := r.parse()
	if u != nil {
		r.add(r.schemeRule(u), hostRule(u), r.queryRule(u), portRule(u), pathRule(u), addressRule(u))
		r.add(againstCloud(u, cloud)...)
	}
	if stays {
		for i := range r.Findings {
			if r.Findings[i].Level == Fault {
				r.Findings[i].Level = Warning
			}
		}
	}
	return r
}

// Faults are the findings that stop a plan.
func (r URLReport) Faults() []Finding {
	var list []Finding
	for _, f := range r.Findings {
		if f.Level == Fault {
			list = append(list, f)
		}
	}
	return list
}

func (r *URLReport) add(list ...Finding) {
	for _, f := range list {
		if f.ID != "" {
			r.Findings = append(r.Findings, f)
		}
	}
}

// parse splits the URL; nil when it is not one, which is then a finding.
func (r *URLReport) parse() *url.URL {
	switch {
	case r.URL == "":
		r.add(Finding{ID: "url_missing", Level: Fault})
		return nil
	case len(r.URL) > MaxURL:
		r.add(Finding{ID: "url_long", Level: Fault, Args: map[string]any{"bytes": len(r.URL), "limit": MaxURL}})
		return nil
	case strings.ContainsFunc(r.URL, func(c rune) bool { return c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0) }):
		r.add(Finding{ID: "url_control", Level: Fault})
		return nil
	case strings.ContainsFunc(r.URL, func(c rune) bool { return c == '\\' || unicode.IsSpace(c) }):
		r.add(Finding{ID: "url_space", Level: Fault})
		return nil
	}
	u, err := url.Parse(r.URL)
	if err != nil || u.Opaque != "" || !utf8.ValidString(r.URL) {
		r.add(Finding{ID: "url_form", Level: Fault})
		return nil
	}
	r.Parsed = true
	r.Scheme, r.Host, r.Port, r.Path, r.Query = u.Scheme, u.Hostname(), u.Port(), u.EscapedPath(), u.RawQuery
	if r.Port == "" {
		r.Default = true
		r.Port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u
}

// schemeRule wants small letters: the URL is sent as typed, and the documents have no other form.
func (r *URLReport) schemeRule(u *url.URL) Finding {
	switch {
	case !strings.HasPrefix(r.URL, u.Scheme+":"):
	case u.Scheme == "https":
		return Finding{ID: "https", Level: Fine}
	case u.Scheme == "http":
		return Finding{ID: "http", Level: Warning}
	}
	return Finding{ID: "scheme", Level: Fault}
}

func hostRule(u *url.URL) Finding {
	host := u.Hostname()
	switch {
	case u.Scheme == "":
		return Finding{} // the missing scheme says it all
	case u.User != nil:
		return Finding{ID: "userinfo", Level: Fault}
	case host == "":
		return Finding{ID: "host_missing", Level: Fault}
	case len(host) > 253:
		return Finding{ID: "host_long", Level: Fault}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Is4() {
			return Finding{ID: "host_ip", Level: Fine}
		}
		return Finding{ID: "host_v6", Level: Fault}
	}
	for label := range strings.SplitSeq(host, ".") {
		if id := labelFault(label); id != "" {
			return Finding{ID: id, Level: Fault, Args: map[string]any{"label": label}}
		}
	}
	// 1.2.3 and 0x7f.1 are read as addresses by some resolvers and refused by others.
	if endsInNumber(host) {
		return Finding{ID: "host_number", Level: Fault}
	}
	if !strings.Contains(host, ".") {
		return Finding{ID: "host_single", Level: Warning, Args: map[string]any{"host": host}}
	}
	return Finding{ID: "host", Level: Fine}
}

// endsInNumber tells whether the last part of a host is a decimal or hexadecimal number, which no public name ends in.
func endsInNumber(host string) bool {
	last := strings.ToLower(host[strings.LastIndex(host, ".")+1:])
	hex, is := strings.CutPrefix(last, "0x")
	return strings.Trim(last, "0123456789") == "" || (is && strings.Trim(hex, "0123456789abcdef") == "")
}

// labelFault applies the console's rule: letters, digits, hyphen; the hyphen not doubled, not first or last.
func labelFault(label string) string {
	switch {
	case label == "":
		return "host_empty_label"
	case len(label) > 63:
		return "host_label_long"
	case strings.HasPrefix(label, "-"), strings.HasSuffix(label, "-"):
		return "host_hyphen"
	case strings.Contains(strings.TrimPrefix(strings.ToLower(label), "xn--"), "--"):
		return "host_hyphen"
	}
	for _, c := range label {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "host_letters"
		}
	}
	return ""
}

func (r *URLReport) queryRule(u *url.URL) Finding {
	switch {
	case strings.Contains(r.URL, "#"): // an empty fragment too, which url.Parse forgets
		return Finding{ID: "fragment", Level: Fault}
	case u.RawQuery != "" || u.ForceQuery:
		return Finding{ID: "query", Level: Warning}
	}
	return Finding{ID: "no_query", Level: Fine}
}

func portRule(u *url.URL) Finding {
	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return Finding{ID: "port", Level: Fault}
		}
		return Finding{}
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
		return Finding{ID: "port", Level: Fault}
	}
	return Finding{}
}

func pathRule(u *url.URL) Finding {
	typed := cmp.Or(u.RawPath, u.EscapedPath())
	if strings.ContainsFunc(typed, func(c rune) bool { return c >= 0x80 }) {
		return Finding{ID: "path_ascii", Level: Warning}
	}
	if strings.ContainsAny(typed, "!$&") {
		return Finding{ID: "path_signs", Level: Warning}
	}
	return Finding{}
}

// special are address ranges that the public internet does not lead to.
var special = func() []netip.Prefix {
	var list []netip.Prefix
	for _, p := range []string{"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"} {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}()

func addressRule(u *url.URL) Finding {
	host := strings.ToLower(u.Hostname())
	private := host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal")
	if addr, err := netip.ParseAddr(host); err == nil {
		for _, p := range special {
			private = private || p.Contains(addr.Unmap())
		}
	}
	if private {
		return Finding{ID: "private", Level: Warning, Args: map[string]any{"host": u.Hostname()}}
	}
	return Finding{}
}

func againstCloud(u *url.URL, cloud store.Configuration) []Finding {
	old, err := url.Parse(cloud.URL())
	if cloud.IsNone() || err != nil || old.Host == "" {
		return nil
	}
	var list []Finding
	if !strings.EqualFold(u.Host, old.Host) {
		list = append(list, Finding{ID: "host_changes", Level: Warning, Args: map[string]any{"old": old.Host, "new": u.Host}})
	}
	if portPrefix(u, old) {
		return append(list, Finding{ID: "port_prefix", Level: Warning, Args: map[string]any{"old": portOf(old), "new": portOf(u)}})
	}
	return append(list, Finding{ID: "no_port_prefix", Level: Fine})
}

// portPrefix is the trap of 647/74157: on one host, one of two different ports begins with the other.
func portPrefix(a, b *url.URL) bool {
	if !strings.EqualFold(a.Hostname(), b.Hostname()) {
		return false
	}
	x, y := portOf(a), portOf(b)
	return x != y && (strings.HasPrefix(x, y) || strings.HasPrefix(y, x))
}

func portOf(u *url.URL) string {
	if u.Port() != "" {
		return u.Port()
	}
	if u.Scheme == "http" {
		return "80"
	}
	return "443"
}

// HostPort is a URL's host with its port, for sentences; "" when it is not a URL.
func HostPort(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if u.Port() == "" {
		return u.Hostname()
	}
	return net.JoinHostPort(u.Hostname(), u.Port())
}
