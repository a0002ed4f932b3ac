package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
	"unique"
)

// Configuration is one URL with one set of command words, or none at all; or, for changes of tokens, the state of a token.
// It is immutable and known by its digest.
type Configuration struct {
	none     bool
	url      string
	commands []string
	token    *TokenState
}

// None is the configuration of an app that has no callback at Tencent. It is not the same as a URL with an empty set.
var None = Configuration{none: true}

// NewConfiguration makes a configuration; order and doubles of the words mean nothing, each word is kept byte for byte.
func NewConfiguration(url string, commands []string) Configuration {
	sorted := slices.Clone(commands)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	for i, word := range sorted {
		sorted[i] = unique.Make(word).Value() // most are the same few words, kept once
	}
	return Configuration{url: url, commands: slices.Clip(sorted)}
}

// IsNone tells whether there is no callback at all.
func (c Configuration) IsNone() bool { return c.none }

// URL is the callback address, "" for none.
func (c Configuration) URL() string { return c.url }

// Commands are the sorted words; the caller must not change them.
func (c Configuration) Commands() []string { return c.commands }

// Has tells whether the set holds a word.
func (c Configuration) Has(word string) bool {
	_, ok := slices.BinarySearch(c.commands, word)
	return ok
}

// Equal compares as configurations, not as lists.
func (c Configuration) Equal(other Configuration) bool {
	mine, isToken := c.Token()
	theirs, isTheirs := other.Token()
	return isToken == isTheirs && mine == theirs && c.none == other.none && c.url == other.url && slices.Equal(c.commands, other.commands)
}

// Digest is the configuration's name: SHA-256 in hex over a version byte, "url" or "none", then the URL and the sorted
// words, each string with its length in front.
func (c Configuration) Digest() string {
	h := sha256.New()
	h.Write([]byte{1})
	switch {
	case c.token != nil:
		digestString(h, "token")
		digestString(h, fmt.Sprintf("%t %t %d %s", c.token.Set, c.token.Enabled, c.token.Length, c.token.MAC))
	case c.none:
		digestString(h, "none")
	default:
		digestString(h, "url")
		digestString(h, c.url)
		for _, w := range c.commands {
			digestString(h, w)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func digestString(h hash.Hash, s string) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(s)))
	h.Write(length[:])
	io.WriteString(h, s) //nolint:errcheck // a hash never fails to write
}

// configurationBody is how a configuration is kept; JSON can hold what a text column of PostgreSQL cannot (NUL).
type configurationBody struct {
	None     bool        `json:"none,omitempty"`
	URL      string      `json:"url"`
	Commands []string    `json:"commands"`
	Token    *TokenState `json:"token,omitempty"`
	// Raw holds URL and words instead when one of them is not UTF-8, which JSON would replace.
	Raw [][]byte `json:"raw,omitempty"`
}

func bodyOf(c Configuration) configurationBody {
	texts := append([]string{c.url}, c.commands...)
	if !slices.ContainsFunc(texts, func(s string) bool { return !utf8.ValidString(s) }) {
		return configurationBody{None: c.none, URL: c.url, Commands: c.commands, Token: c.token}
	}
	var b configurationBody
	for _, s := range texts {
		b.Raw = append(b.Raw, []byte(s))
	}
	return b
}

func parseConfiguration(body string) (Configuration, error) {
	var b configurationBody
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		return Configuration{}, fmt.Errorf("a stored configuration is damaged: %w", err)
	}
	if b.Token != nil {
		return TokenConfiguration(*b.Token), nil
	}
	if b.None {
		return None, nil
	}
	if b.Raw == nil {
		return NewConfiguration(b.URL, b.Commands), nil
	}
	words := make([]string, 0, len(b.Raw)-1)
	for _, w := range b.Raw[1:] {
		words = append(words, string(w))
	}
	return NewConfiguration(string(b.Raw[0]), words), nil
}

// keepConfiguration writes a configuration once and returns its digest.
func (t *tx) keepConfiguration(c Configuration) (string, error) {
	body, err := json.Marshal(bodyOf(c))
	if err != nil {
		return "", err
	}
	digest := c.Digest()
	host := ""
	if u, err := url.Parse(c.url); err == nil {
		host = u.Host
	}
	t.queue(`INSERT INTO configurations (digest, body, host, search) VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO NOTHING`,
		digest, string(body), Text(strings.ToLower(host), 300), Text(strings.ToLower(c.url), 4096))
	return digest, nil
}

// keptConfigurations bounds how many configurations stay in memory, about a kilobyte each: an export of a thousand apps
// needs two of each at a time, and the newest of all when it begins.
const keptConfigurations = 6000

// Configurations returns the stored configurations of the digests; unknown digests are left out.
func (s *Store) Configurations(ctx context.Context, digests ...string) (map[string]Configuration, error) {
	list := make(map[string]Configuration, len(digests))
	for _, d := range digests {
		if _, done := list[d]; done || d == "" {
			continue
		}
		c, err := s.Configuration(ctx, d)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list[d] = c
	}
	return list, nil
}

// Configuration returns one stored configuration; ErrNotFound for an unknown digest.
func (s *Store) Configuration(ctx context.Context, digest string) (Configuration, error) {
	if c, ok := s.known.find(digest); ok {
		return c, nil
	}
	var body string
	if _, err := found(body, s.row(ctx, `SELECT body FROM configurations WHERE digest = $1`, digest).Scan(&body)); err != nil {
		return Configuration{}, err
	}
	c, err := parseConfiguration(body)
	if err != nil {
		return Configuration{}, err
	}
	s.known.keep(digest, c)
	return c, nil
}
