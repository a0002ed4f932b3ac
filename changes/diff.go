package changes

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"callboard/store"
	"callboard/tencent"
)

// GiftWord is the event whose policy PolicyWord switches.
const (
	GiftWord   = "Live.CallbackBeforeSendGift"
	PolicyWord = "Live.CallbackBeforeCallBackNotBlock"
)

// Diff is what lies between two configurations. The words are sorted; commands are compared as sets.
type Diff struct {
	Before, After store.Configuration
	URLChanged    bool
	HostChanged   bool
	Added         []string
	Removed       []string
	Kept          []string
}

// Compare says what turns before into after.
func Compare(before, after store.Configuration) Diff {
	d := Diff{Before: before, After: after, URLChanged: before.URL() != after.URL()}
	d.HostChanged = hostOf(before) != hostOf(after)
	for _, w := range after.Commands() {
		if before.Has(w) {
			d.Kept = append(d.Kept, w)
		} else {
			d.Added = append(d.Added, w)
		}
	}
	for _, w := range before.Commands() {
		if !after.Has(w) {
			d.Removed = append(d.Removed, w)
		}
	}
	return d
}

// Nothing tells whether both are the same configuration.
func (d Diff) Nothing() bool { return d.Before.Equal(d.After) }

// hostOf is the host with its port, "" for none. Names of hosts know no case.
func hostOf(c store.Configuration) string {
	u, err := url.Parse(c.URL())
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// About lists what a search finds the difference by: the URLs, and the words that are added or removed.
func (d Diff) About() []string {
	if _, token := d.After.Token(); token {
		return nil
	}
	list := []string{d.After.URL()}
	if d.URLChanged {
		list = append(list, d.Before.URL())
	}
	return slices.Concat(list, d.Added, d.Removed)
}

// Summary is a difference in short, as lists show it. It is stored with the entry.
type Summary struct {
	Create   bool   `json:"create,omitempty"`
	Delete   bool   `json:"delete,omitempty"`
	Added    int    `json:"added,omitempty"`   // events, the policy setting left out
	Removed  int    `json:"removed,omitempty"` // as above
	Policy   string `json:"policy,omitempty"`  // "on" or "off" when it turns
	URL      bool   `json:"url,omitempty"`
	Host     bool   `json:"host,omitempty"`
	Blocking bool   `json:"blocking,omitempty"` // a blocking event is added or removed
	Token    string `json:"token,omitempty"`    // what happens to the token
}

// Summary sums the difference up.
func (d Diff) Summary() Summary {
	if _, token := d.After.Token(); token {
		return Summary{Token: tokenAct(d)}
	}
	s := Summary{Create: d.Before.IsNone() && !d.After.IsNone(), Delete: !d.Before.IsNone() && d.After.IsNone(), URL: d.URLChanged, Host: d.HostChanged}
	for _, w := range d.Added {
		s.count(w, &s.Added, "on")
	}
	for _, w := range d.Removed {
		s.count(w, &s.Removed, "off")
	}
	return s
}

func (s *Summary) count(word string, n *int, policy string) {
	if word == PolicyWord {
		s.Policy = policy
		return
	}
	*n++
	if c, ok := tencent.FindCommand(word); ok && c.Blocking {
		s.Blocking = true
	}
}

// String is the stored form.
func (s Summary) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	return string(text)
}

// ParseSummary reads the stored form; what is not readable is an empty summary.
func ParseSummary(text string) Summary {
	var s Summary
	if json.Unmarshal([]byte(text), &s) != nil {
		return Summary{}
	}
	return s
}

// Count is how many events a configuration has, in the terms of the catalogue.
type Count struct {
	Listed   int // events of our list
	Blocking int
	Unlisted int // words that our list lacks
	Policy   bool
}

// CountOf counts a configuration's words.
func CountOf(c store.Configuration) Count {
	var n Count
	for _, w := range c.Commands() {
		known, ok := tencent.FindCommand(w)
		switch {
		case !ok:
			n.Unlisted++
		case known.Kind == tencent.KindSetting:
			n.Policy = true
		default:
			n.Listed++
			if known.Blocking {
				n.Blocking++
			}
		}
	}
	return n
}
