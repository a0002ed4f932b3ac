package tencent

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Listing says where Tencent documents a region's host.
type Listing string

// The listings. The first is the only one that covers the callback calls themselves.
const (
	// ListedCallback: named in the documents of the callback configuration calls (647/64418 to 64421, 647/69528 to 69530).
	ListedCallback Listing = "callback"
	// ListedLive: named in the Live REST documents only (1071/76832).
	ListedLive Listing = "live"
	// ListedChat: named in the Chat documents only (1047/34620, 1047/36742).
	ListedChat Listing = "chat"
	// ListedNowhere: in no document of Tencent; seen in public code.
	ListedNowhere Listing = "nowhere"
	// ListedExtra: not Tencent's; named by the owner of the machine.
	ListedExtra Listing = "extra"
)

// Region is one API host. An app belongs to exactly one.
type Region struct {
	Name    string  // china, singapore, usa, indonesia, korea, germany, japan, india, saudi, or an extra's own name
	Host    string  // host, with the port if BaseURL has one
	BaseURL string  // scheme and host, no path
	Listed  Listing // where Tencent documents the host for our calls
	Extra   bool    // named by the owner of the machine, not Tencent's
}

// builtIn holds Tencent's hosts (reference: documents named at the listings above).
var builtIn = []Region{
	tencentRegion("china", "console.tim.qq.com", ListedCallback),
	tencentRegion("singapore", "adminapisgp.im.qcloud.com", ListedCallback),
	tencentRegion("usa", "adminapiusa.im.qcloud.com", ListedCallback),
	tencentRegion("indonesia", "adminapiidn.im.qcloud.com", ListedLive),
	tencentRegion("korea", "adminapikr.im.qcloud.com", ListedChat),
	tencentRegion("germany", "adminapiger.im.qcloud.com", ListedChat),
	tencentRegion("japan", "adminapijpn.im.qcloud.com", ListedChat),
	tencentRegion("india", "adminapiind.im.qcloud.com", ListedChat),
	tencentRegion("saudi", "adminapiksa.im.qcloud.com", ListedNowhere),
}

func tencentRegion(name, host string, listed Listing) Region {
	return Region{Name: name, Host: host, BaseURL: "https://" + host, Listed: listed}
}

// Directory is the fixed set of regions this console may talk to: Tencent's own and the extra ones.
// It never changes after NewDirectory and may be shared.
type Directory struct {
	regions []Region
	byName  map[string]Region
}

// NewDirectory gives Tencent's regions and those in extra, a list like
// "name=http://127.0.0.1:9100,other=https://host". An extra name is 1 to 32 of a-z, 0-9 and "-" and no
// region's name; its address is http or https with a host and perhaps a port, nothing else.
// The error says which entry is wrong and why.
func NewDirectory(extra string) (*Directory, error) {
	d := &Directory{byName: map[string]Region{}}
	for _, r := range builtIn {
		d.add(r)
	}
	if strings.TrimSpace(extra) == "" {
		return d, nil
	}
	for entry := range strings.SplitSeq(extra, ",") {
		r, err := parseExtra(strings.TrimSpace(entry))
		if err != nil {
			return nil, fmt.Errorf("extra endpoint %q: %w", withoutUserInfo(entry), err)
		}
		if _, taken := d.byName[r.Name]; taken {
			return nil, fmt.Errorf("extra endpoint: the name %q is already taken", r.Name)
		}
		d.add(r)
	}
	return d, nil
}

func (d *Directory) add(r Region) {
	d.regions = append(d.regions, r)
	d.byName[r.Name] = r
}

// All gives every region: Tencent's in a fixed order, then the extra ones as they were named.
func (d *Directory) All() []Region {
	return append([]Region(nil), d.regions...)
}

// Find gives the region of that name.
func (d *Directory) Find(name string) (Region, bool) {
	r, ok := d.byName[name]
	return r, ok
}

var extraName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

func parseExtra(entry string) (Region, error) {
	name, address, found := strings.Cut(entry, "=")
	if !found {
		return Region{}, fmt.Errorf("must be name=http://host:port")
	}
	if !extraName.MatchString(name) {
		return Region{}, fmt.Errorf("the name must be 1 to 32 characters of a-z, 0-9 and -")
	}
	host, err := plainAddress(address)
	if err != nil {
		return Region{}, err
	}
	return Region{Name: name, Host: host, BaseURL: address, Listed: ListedExtra, Extra: true}, nil
}

// plainAddress gives the host and port of an address that is nothing but scheme, host and port.
func plainAddress(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("the address cannot be read")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("the address must begin with http:// or https://")
	}
	if u.Hostname() == "" || address != u.Scheme+"://"+u.Host {
		return "", fmt.Errorf("the address must be a host and perhaps a port, nothing else")
	}
	if err := checkPort(u.Host); err != nil {
		return "", err
	}
	return u.Host, nil
}

func checkPort(host string) error {
	if !strings.Contains(host, ":") || strings.HasSuffix(host, "]") {
		return nil
	}
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return fmt.Errorf("the host cannot be read")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("the port must be 1 to 65535")
	}
	return nil
}

// withoutUserInfo keeps a password that somebody put before the host out of the error.
func withoutUserInfo(entry string) string {
	if at := strings.LastIndex(entry, "@"); at >= 0 {
		name, _, _ := strings.Cut(entry, "=")
		return strings.TrimSpace(name) + "=…" + entry[at:]
	}
	return strings.TrimSpace(entry)
}

// OnlyExtra is the directory without Tencent's own hosts, for a console that must never reach them.
func (d *Directory) OnlyExtra() *Directory {
	only := &Directory{byName: map[string]Region{}}
	for _, r := range d.regions {
		if r.Extra {
			only.add(r)
		}
	}
	return only
}
