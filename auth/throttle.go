package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"
)

// Limit bounds guessing: Burst tries at once, then one more in each span of Every. In any time T that makes at most
// Burst + T/Every, and a try comes free within Every; whoever asks first gets it.
type Limit struct {
	Burst int
	Every time.Duration
}

// How many tries at a secret are evaluated before further ones are refused. Only tries that fail count.
var (
	// AccountTries holds for each name, also one that nobody has: at most 10 in 15 minutes and 19 in an hour.
	AccountTries = Limit{Burst: 7, Every: 5 * time.Minute}
	// BrowserTries holds instead of it, and of AddressTries, for a browser that the person signed in with before.
	BrowserTries = Limit{Burst: 7, Every: 5 * time.Minute}
	// AddressTries holds for each client address, whatever the names: at most 60 in 15 minutes. Many people can share one.
	AddressTries = Limit{Burst: 45, Every: time.Minute}
)

// KnownBrowserLife is how long a browser stays known after somebody signed in with it.
const KnownBrowserLife = 180 * 24 * time.Hour

// LinkLife is how long an invitation or a link for a new password can be used.
const LinkLife = 24 * time.Hour

// ClientNetwork is what counts as one client address: of version 6 the /64, as anybody at home has a whole one.
func ClientNetwork(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64) // never fails for an address of version 6
	return p.String()
}

// Digest is how a random token, or a text of any length, is named in the database.
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// CounterKey names the counter of one kind for one account, browser or address.
func CounterKey(kind, of string) string { return kind + "/" + Digest(strings.ToValidUTF8(of, "")) }
