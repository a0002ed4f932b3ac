package store_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"callboard/store"
	"callboard/store/storetest"
)

// digest is the rule of the design written down a second time.
func digest(texts ...string) string {
	b := bytes.NewBuffer([]byte{1})
	for _, s := range texts {
		n := len(s)
		for shift := 56; shift >= 0; shift -= 8 {
			b.WriteByte(byte(n >> shift))
		}
		b.WriteString(s)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b.Bytes()))
}

func TestDigest(t *testing.T) {
	tests := []struct {
		name  string
		c     store.Configuration
		texts []string
		want  string
	}{
		{"none", store.None, []string{"none"}, "b7c7980f900514915b7bc8a8f5d4ce63d8a1bd4b237c088aa10488b98fbc695a"},
		{"empty URL", store.NewConfiguration("", nil), []string{"url", ""}, "f42aec99dc099531ca8e9b2b66f8d4f1e6c4573046b00b884e3be8323f2f687f"},
		{"URL, empty set", store.NewConfiguration("https://a.example/x", []string{}), []string{"url", "https://a.example/x"}, "8842afe6840859a77267c3e3264dd0954a9afdd67a547080c36757bdf02e7a71"},
		{"doubles, unsorted", store.NewConfiguration("https://a.example/x", []string{"Live.B", "Live.A", "Live.A"}), []string{"url", "https://a.example/x", "Live.A", "Live.B"}, "06d769b0e071b0865008c18380db7d9782e735bf3a46ea94dcc6f2870ac83124"},
		{"URL none", store.NewConfiguration("none", nil), []string{"url", "none"}, "217dad5e88fc9c5f8204f91b0a190c860c41456b51295b706b458105570710c0"},
		{"odd bytes", store.NewConfiguration("https://a.example/x\x00\xff", []string{"\xfe", "Live.\x00"}), []string{"url", "https://a.example/x\x00\xff", "Live.\x00", "\xfe"}, "fcf92706dbb8bdb7b91199f182761c1f3b6b3a79aad0a8d70c19c971abc9d665"},
	}
	for _, test := range tests {
		same(t, test.name, test.want, test.c.Digest())
		same(t, test.name+", by the rule", digest(test.texts...), test.c.Digest())
	}
}

func TestConfigurationIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b", "ab", "Live.A", "live.a", "Follow.A", "\x00", "\xff"}), 0, 12).Draw(t, "words")
		more := append(slices.Clone(words), words...)
		mixed := rapid.Permutation(more).Draw(t, "mixed")
		given := slices.Clone(mixed)
		one, two := store.NewConfiguration("u", words), store.NewConfiguration("u", mixed)
		if !one.Equal(two) || one.Digest() != two.Digest() {
			t.Fatalf("%q and %q differ", words, mixed)
		}
		if !slices.Equal(given, mixed) {
			t.Fatal("the caller's list was changed")
		}
		for _, w := range []string{"", "a", "b", "ab", "Live.A", "live.a", "Follow.A", "\x00", "\xff"} {
			if two.Has(w) != slices.Contains(words, w) {
				t.Fatalf("Has(%q) = %v in %q", w, two.Has(w), words)
			}
		}
		if !slices.IsSorted(two.Commands()) || len(slices.Compact(slices.Clone(two.Commands()))) != len(two.Commands()) {
			t.Fatalf("commands %q", two.Commands())
		}
	})
}

func TestDigestAndEqualAgree(t *testing.T) {
	some := rapid.Custom(func(t *rapid.T) store.Configuration {
		if rapid.IntRange(0, 5).Draw(t, "none") == 0 {
			return store.None
		}
		return store.NewConfiguration(rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 0, 2, -1).Draw(t, "url"),
			rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 0, 2, -1), 0, 3).Draw(t, "words"))
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := some.Draw(t, "a"), some.Draw(t, "b")
		if a.Equal(b) != (a.Digest() == b.Digest()) || a.Equal(b) != b.Equal(a) {
			t.Fatalf("%v and %v", a, b)
		}
	})
}

func TestConfigurationsAreStoredByteForByte(t *testing.T) {
	tests := map[string]store.Configuration{
		"none":                 store.None,
		"empty URL":            store.NewConfiguration("", nil),
		"empty URL and a word": store.NewConfiguration("", []string{""}),
		"empty set":            store.NewConfiguration("https://a.example/x", nil),
		"usual":                confA,
		"NUL":                  store.NewConfiguration("https://a.example/\x00", []string{"a\x00", "\x00"}),
		"not UTF-8":            store.NewConfiguration("https://a.example/\xff", []string{"\xfe\xff", "ok"}),
		"word not UTF-8":       store.NewConfiguration("https://a.example/", []string{"\xed\xa0\x80"}),
		"raw and no words":     store.NewConfiguration("\xff", nil),
		"replacement rune":     store.NewConfiguration("https://a.example/\uFFFD", []string{"\uFFFD"}),
		"marks of markup":      store.NewConfiguration(`https://a.example/?a=<b>&"\`, []string{"<&>", "\u2028"}),
		"long":                 store.NewConfiguration("https://a.example/"+strings.Repeat("é", 5000), []string{strings.Repeat("x", 9000)}),
	}
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		for name, c := range tests {
			for range 2 {
				d, err := f.KeepConfiguration(ctx(t), c)
				if err != nil || d != c.Digest() {
					t.Errorf("%s: kept as %s, %v", name, d, err)
				}
			}
			got, err := f.Configuration(ctx(t), c.Digest())
			if err != nil || !got.Equal(c) || got.IsNone() != c.IsNone() || got.URL() != c.URL() || !slices.Equal(got.Commands(), c.Commands()) {
				t.Errorf("%s: read back %q %q %v, %v", name, got.URL(), got.Commands(), got.IsNone(), err)
			}
		}
		same(t, "rows", int64(len(tests)), f.number(`SELECT COUNT(*) FROM configurations`))

		list, err := f.Configurations(ctx(t), confA.Digest(), "", "unknown", store.None.Digest(), confA.Digest())
		if err != nil || len(list) != 2 || !list[confA.Digest()].Equal(confA) || !list[store.None.Digest()].IsNone() {
			t.Errorf("Configurations = %v, %v", list, err)
		}
		for _, d := range []string{"", "unknown"} {
			if _, err := f.Configuration(ctx(t), d); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Configuration(%q): %v", d, err)
			}
		}
		// One that was never read, as a configuration stays in memory once it was.
		damaged, err := f.KeepConfiguration(ctx(t), store.NewConfiguration("https://damaged.example/", nil))
		f.must(err)
		f.exec(`UPDATE configurations SET body = 'x' WHERE digest = $1`, damaged)
		if _, err := f.Configuration(ctx(t), damaged); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("a damaged row: %v", err)
		}
	})
}

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"": "", " a b\n": "a b", "a\r\nb": "a\r\nb", "直播 间": "直播 间", "a\u202eb\u200e": "ab", "\ufeffa\u00adb\u200b": "ab", "\u3164\u115f\u2800": "",
		"\u200d\ufe0f \u00a0": "", "👩\u200d💻": "👩\u200d💻", "❤\ufe0f": "❤\ufe0f", "می\u200cخواهم": "می\u200cخواهم", "a\xff": "a\uFFFD",
	} {
		same(t, fmt.Sprintf("Visible(%q)", text), want, store.Visible(text))
	}
}

func TestTextIsCutBetweenRunes(t *testing.T) {
	tests := []struct {
		text  string
		limit int
		want  string
	}{
		{"", 0, ""}, {"a", 0, ""}, {"abc", 3, "abc"}, {"abc", 2, "ab"},
		{"a€€", 7, "a€€"}, {"a€€", 6, "a€"}, {"a€€", 5, "a€"}, {"a€€", 4, "a€"}, {"a€€", 3, "a"}, {"a€€", 2, "a"}, {"a€€", 1, "a"},
		{"😀😀", 7, "😀"}, {"😀😀", 5, "😀"}, {"😀😀", 3, ""}, {"é", 1, ""},
		{"a\x00b", 10, "a\u2400b"}, {"a\x00b", 4, "a\u2400"}, {"a\x00b", 3, "a"},
		{"\xff\xfe!", 10, "\uFFFD!"}, {"a\xffb", 5, "a\uFFFDb"}, {"a\xff", 3, "a"},
	}
	for _, test := range tests {
		same(t, fmt.Sprintf("Text(%q, %d)", test.text, test.limit), test.want, store.Text(test.text, test.limit))
	}
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "runes")
		limit := rapid.IntRange(0, 60).Draw(t, "limit")
		got := store.Text(text, limit)
		whole := store.Text(text, 1<<20)
		if !utf8.ValidString(got) || strings.Contains(got, "\x00") || len(got) > limit || !strings.HasPrefix(whole, got) || (len(whole) > limit && len(got) < limit-3) {
			t.Fatalf("Text(%q, %d) = %q", text, limit, got)
		}
	})
}
