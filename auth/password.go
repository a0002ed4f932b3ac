// Package auth knows who may do what: passwords, the session cookie, roles and the table of routes.
package auth

import (
	"context"
	"crypto/rand"
	_ "embed" // for the list of common passwords
	"encoding/base32"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"github.com/trustelem/zxcvbn/frequency"
	"golang.org/x/sync/semaphore"
)

// Password rules: besides length only what everybody guesses first is refused; pasting and any character are allowed.
const (
	MinPassword = 8
	MaxPassword = 128
)

//go:embed common.txt
var commonList string

// isCommon tells whether a password, in small letters, is among those that are guessed first: the most frequent ones of
// published leaks, single words and names, and a list of our own for the place and for what the others lack.
func isCommon(folded string) bool {
	for _, list := range frequency.FrequencyLists {
		if slices.Contains(list, folded) {
			return true
		}
	}
	return slices.Contains(strings.Fields(commonList), folded) || ofThePlace(folded)
}

// ofThePlace tells whether a password is a word of this console with figures and signs around it.
func ofThePlace(folded string) bool {
	word := strings.TrimFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) })
	return slices.Contains([]string{"callboard", "callback", "tencent", "tencentcloud", "tencentrtc", "tuilivekit", "livekit"}, word)
}

// Why a new password is refused.
const (
	PasswordLength = "length" // fewer than MinPassword or more than MaxPassword characters
	PasswordCommon = "common" // among the first that anybody guesses
	PasswordIsName = "name"   // the name of its owner
)

// PasswordFault tells why a password that somebody chose is refused; "" when it may be used. Case makes neither a common
// password nor a name a better one.
func PasswordFault(password, name string) string {
	folded := strings.ToLower(password)
	switch n := utf8.RuneCountInString(password); {
	case n < MinPassword || n > MaxPassword:
		return PasswordLength
	case strings.TrimSpace(folded) == strings.ToLower(strings.TrimSpace(name)):
		return PasswordIsName
	case isCommon(folded):
		return PasswordCommon
	}
	return ""
}

// hashesAtOnce bounds the memory that sign-ins can take, 19 MiB each.
const hashesAtOnce = 4

// params are OWASP's for Argon2id; the parallelism is fixed because the library's default follows the machine.
var params = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// ErrPassword says that a password is too short or too long.
var ErrPassword = errors.New("a password has 8 to 128 characters")

// ErrBusy says that too many passwords are being checked right now.
var ErrBusy = errors.New("too many sign-ins at once")

var hashing = semaphore.NewWeighted(hashesAtOnce)

// giveBack returns the memory of hashes to the machine once nobody has signed in for a while; otherwise the console
// would keep 19 MiB and more for hours.
var giveBack = time.AfterFunc(time.Hour, debug.FreeOSMemory)

func release() {
	hashing.Release(1)
	giveBack.Reset(time.Second)
}

// HashPassword makes the Argon2id hash that is stored. ErrPassword or ErrBusy.
func HashPassword(ctx context.Context, password string) (string, error) {
	if n := utf8.RuneCountInString(password); n < MinPassword || n > MaxPassword {
		return "", ErrPassword
	}
	if hashing.Acquire(ctx, 1) != nil {
		return "", ErrBusy
	}
	defer release()
	hash, err := argon2id.CreateHash(password, params)
	if err != nil {
		return "", fmt.Errorf("hashing a password: %w", err)
	}
	return hash, nil
}

// CheckPassword compares a password with a stored hash. With hash "" it does the same work and says no, so that a name
// nobody has takes as long as one that somebody has. ErrBusy when no place became free until ctx ended.
func CheckPassword(ctx context.Context, password, hash string) (bool, error) {
	known := hash != ""
	if !known {
		hash = nobody()
	}
	// Longer than any stored one, and a cheap way to make this expensive.
	if len(password) > 4*MaxPassword {
		password = ""
	}
	if hashing.Acquire(ctx, 1) != nil {
		return false, ErrBusy
	}
	defer release()
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("checking a password: %w", err)
	}
	return ok && known, nil
}

// nobody is the hash of a password that nobody knows.
var nobody = sync.OnceValue(func() string {
	hash, err := argon2id.CreateHash(rand.Text(), params)
	if err != nil {
		panic("no random numbers: " + err.Error())
	}
	return hash
})

// NewCode draws a one-time code such as 7QK2-M4TD-X9PA: 60 random bits in letters and digits that are hard to confuse.
func NewCode() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	text := base32.NewEncoding("ABCDEFGHJKLMNPQRSTUVWXYZ23456789").EncodeToString(b[:])[:12]
	return text[:4] + "-" + text[4:8] + "-" + text[8:]
}

// NewToken draws the secret of a link: 130 random bits in letters and digits.
func NewToken() string { return rand.Text() }

// FoldCode makes a typed code comparable: case, blanks and hyphens mean nothing.
func FoldCode(code string) string {
	return strings.Map(func(c rune) rune {
		if c == '-' || c == ' ' {
			return -1
		}
		return c
	}, strings.ToUpper(strings.TrimSpace(code)))
}
