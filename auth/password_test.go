package auth

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"
	"github.com/google/go-cmp/cmp"
	"github.com/trustelem/zxcvbn/frequency"
)

func TestHashPasswordCountsCharacters(t *testing.T) {
	tests := []struct {
		name     string
		password string
		want     error
	}{
		{"nothing", "", ErrPassword},
		{"one too few", strings.Repeat("a", MinPassword-1), ErrPassword},
		{"the fewest", strings.Repeat("a", MinPassword), nil},
		{"one more", strings.Repeat("a", MinPassword+1), nil},
		{"one below the most", strings.Repeat("a", MaxPassword-1), nil},
		{"the most", strings.Repeat("a", MaxPassword), nil},
		{"one too many", strings.Repeat("a", MaxPassword+1), ErrPassword},
		{"characters of four bytes, too few", strings.Repeat("🎁", MinPassword-1), ErrPassword},
		{"characters of four bytes, the most", strings.Repeat("🎁", MaxPassword), nil},
		{"blanks", strings.Repeat(" ", MinPassword), nil},
		{"odd bytes", "\x00\xff\x00\xff\x00\xff\x00\xff", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			hash, err := HashPassword(t.Context(), test.password)
			if !errors.Is(err, test.want) || (hash == "") != (test.want != nil) {
				t.Fatalf("hash %q, error %v; want error %v", hash, err, test.want)
			}
			if err != nil {
				return
			}
			for typed, want := range map[string]bool{test.password: true, test.password + "x": false, test.password[1:]: false, "": false} {
				if ok, err := CheckPassword(t.Context(), typed, hash); ok != want || err != nil {
					t.Errorf("checking %q: %v, %v; want %v", typed, ok, err, want)
				}
			}
		})
	}
}

func TestHashesDiffer(t *testing.T) {
	first, err := HashPassword(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	second, err := HashPassword(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Error("two hashes of one password are the same, so they have no salt")
	}
}

// TestNobodyCostsTheSame looks at what makes a check expensive, not at a clock: the parameters of the hash that a name
// nobody has is compared with, and the place that the comparison takes.
func TestNobodyCostsTheSame(t *testing.T) {
	hash, err := HashPassword(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	known, knownSalt, knownKey, err := argon2id.DecodeHash(hash)
	if err != nil {
		t.Fatal(err)
	}
	unknown, salt, key, err := argon2id.DecodeHash(nobody())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(known, unknown); diff != "" {
		t.Errorf("parameters differ (-somebody +nobody):\n%s", diff)
	}
	if len(salt) != len(knownSalt) || len(key) != len(knownKey) {
		t.Errorf("salt %d and key %d bytes, want %d and %d", len(salt), len(key), len(knownSalt), len(knownKey))
	}
	if ok, err := CheckPassword(t.Context(), "correct horse", ""); ok || err != nil {
		t.Errorf("nobody's password: %v, %v", ok, err)
	}
	takeAll(t)
	if _, err := CheckPassword(gone(t), "correct horse", ""); !errors.Is(err, ErrBusy) {
		t.Errorf("with all places taken, nobody's check ends with %v: it did no work", err)
	}
}

func TestLongPasswordIsNotHashed(t *testing.T) {
	hash, err := argon2id.CreateHash("", params)
	if err != nil {
		t.Fatal(err)
	}
	// What is too long is compared as "", so a hash of "" tells whether the long text itself was hashed.
	for length, want := range map[int]bool{4 * MaxPassword: false, 4*MaxPassword + 1: true} {
		if ok, err := CheckPassword(t.Context(), strings.Repeat("a", length), hash); ok != want || err != nil {
			t.Errorf("%d bytes: %v, %v; want %v", length, ok, err, want)
		}
	}
}

func TestDamagedHashIsAnError(t *testing.T) {
	for _, hash := range []string{"x", "$argon2id$", "$argon2i$v=19$m=19456,t=2,p=1$c2FsdA$a2V5"} {
		if ok, err := CheckPassword(t.Context(), "correct horse", hash); ok || err == nil || errors.Is(err, ErrBusy) {
			t.Errorf("%q: %v, %v", hash, ok, err)
		}
	}
}

func TestHashingIsBounded(t *testing.T) {
	release := takeAll(t)
	if _, err := HashPassword(gone(t), "correct horse"); !errors.Is(err, ErrBusy) {
		t.Errorf("hashing with all places taken: %v, want ErrBusy", err)
	}
	if _, err := CheckPassword(gone(t), "correct horse", nobody()); !errors.Is(err, ErrBusy) {
		t.Errorf("checking with all places taken: %v, want ErrBusy", err)
	}
	release()
	for range hashesAtOnce + 1 { // more than there are places: each is given back
		if _, err := HashPassword(t.Context(), "correct horse"); err != nil {
			t.Fatalf("hashing with free places: %v", err)
		}
		if _, err := CheckPassword(t.Context(), "correct horse", nobody()); err != nil {
			t.Fatalf("checking with free places: %v", err)
		}
	}
}

// takeAll takes every place for hashing until release, or the end of the test.
func takeAll(t *testing.T) (release func()) {
	t.Helper()
	if err := hashing.Acquire(t.Context(), hashesAtOnce); err != nil {
		t.Fatal(err)
	}
	taken := true
	release = func() {
		if taken {
			hashing.Release(hashesAtOnce)
		}
		taken = false
	}
	t.Cleanup(release)
	return release
}

// gone is a context that has ended.
func gone(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestNewCode(t *testing.T) {
	shape := regexp.MustCompile(`^[A-HJ-NP-Z2-9]{4}(-[A-HJ-NP-Z2-9]{4}){2}$`)
	seen := map[string]bool{}
	for range 1000 {
		code := NewCode()
		if !shape.MatchString(code) {
			t.Fatalf("%q does not look like a code", code)
		}
		if seen[code] {
			t.Fatalf("%q came twice", code)
		}
		seen[code] = true
	}
}

func TestFoldCode(t *testing.T) {
	tests := []struct{ typed, want string }{
		{"7QK2-M4TD-X9PA", "7QK2M4TDX9PA"},
		{"7qk2-m4td-x9pa", "7QK2M4TDX9PA"},
		{"  7qk2 m4td x9pa\n", "7QK2M4TDX9PA"},
		{"7QK2M4TDX9PA", "7QK2M4TDX9PA"},
		{"7QK2-M4TD-X9P", "7QK2M4TDX9P"},
		{"- -", ""},
		{"", ""},
	}
	for _, test := range tests {
		if got := FoldCode(test.typed); got != test.want {
			t.Errorf("FoldCode(%q) is %q, want %q", test.typed, got, test.want)
		}
	}
}

func TestPasswordFault(t *testing.T) {
	tests := []struct{ password, name, want string }{
		{"correct horse 1", "mei", ""},
		{"a!b@c#d$", "mei", ""},
		{"        ", "mei", ""},
		{"1234567", "mei", PasswordLength},
		{strings.Repeat("p", MaxPassword+1), "mei", PasswordLength},
		{"密码密码密码密", "mei", PasswordLength},
		{"密码密码密码密码", "mei", ""},
		{"password", "mei", PasswordCommon},
		{"PassWord123", "mei", PasswordCommon},
		{"1qaz2wsx", "mei", PasswordCommon},
		{"password and more", "mei", ""},
		{"trustno1!", "mei", ""},
		{"iloveyou2", "mei", PasswordCommon},
		{"something", "mei", PasswordCommon},
		{"Callboard-2026", "mei", PasswordCommon},
		{"!tencent!", "mei", PasswordCommon},
		{"callboard and more", "mei", ""},
		{"mei.lin.wang", "mei.lin.wang", PasswordIsName},
		{"Mei.Lin.Wang", "mei.lin.wang", PasswordIsName},
		{" mei.lin.wang ", "Mei.lin.Wang", PasswordIsName},
		{"mei.lin.wang1", "mei.lin.wang", ""},
		{"administrator", "administrator", PasswordIsName},
	}
	for _, test := range tests {
		if got := PasswordFault(test.password, test.name); got != test.want {
			t.Errorf("%q of %q: %q, want %q", test.password, test.name, got, test.want)
		}
	}
}

// TestCommonPasswords finds entries of our list that could never meet a password: too short, doubled or not in small letters.
func TestCommonPasswords(t *testing.T) {
	list := strings.Split(strings.TrimSuffix(commonList, "\n"), "\n")
	if distinct := slices.Compact(slices.Sorted(slices.Values(list))); len(list) < 100 || len(distinct) != len(list) {
		t.Errorf("%d lines, %d passwords; want at least 100, each once", len(list), len(distinct))
	}
	for _, word := range list {
		if PasswordFault(word, "") != PasswordCommon || PasswordFault(strings.ToUpper(word), "") != PasswordCommon {
			t.Errorf("%q stands in the list and is not refused", word)
		}
	}
}

// TestLeakedPasswords looks through the lists that come from published leaks: what is long enough is refused.
func TestLeakedPasswords(t *testing.T) {
	refused := 0
	for _, word := range frequency.FrequencyLists["passwords"] {
		fault := PasswordFault(word, "")
		if fault == PasswordCommon {
			refused++
		} else if fault != PasswordLength {
			t.Errorf("%q is %q", word, fault)
		}
	}
	if refused < 3000 {
		t.Errorf("only %d leaked passwords are long enough and refused", refused)
	}
}
