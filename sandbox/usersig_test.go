package sandbox

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"
)

// The same three with zlib at its default level and no newline.
var deflated = []string{
	"eJyqVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwokpuZl5mcUlRYkl*UVQBcUp2YkFBZkpSlYWUAART60oyCxKVbKyMDMxMIAIlWTmpipZGZobQAHUgMx0JSsli4oyT-0I72JHl1RLd*dyYzfLIJMo7cIk-6CQ5CR9xzKziqok49Rg0yJfC1ulWkAAAAD--3QpMzs_",
	"eJw0ycEKgkAQxvF3mXPYTG5mCx3q4MUOVlLhTdtJBlFsFVmI3j1w67t9v-8b8uMlmNiChlWAsJi-GO5GecrMpWml*4XBNGXfiwFNCv3IF3a9WAYdoYoRvY3SMmjahOso3kZ-HaQGDVXKSebaWq73pDO0n-LHOcxcmb6Wqa0buh2oqKhQJ1Q7*HwDAAD--9dLMKo_",
	"eJyqVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwqXFqUXxBoa6jlDJ4pTsxIKCzBQlKyMDAwMDQyNjiHhqRUFmUaqSlaGFAUSgJDMXxDU3MzcyMjUzgIoWZ6aDDPXNLTQoLTc09zerCtfPTkoxLS0P8CkLztB2zrLIs8wJ8XWzzMnLdirRtrBVqgUEAAD--69WMOI_",
}

func packed(text string) string {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return userSigAlphabet.EncodeToString(out.Bytes())
}

// verdict runs one get_callback in process, at a time of its own.
func verdict(t *testing.T, id int64, key, identifier, usersig string, at int64) (int64, string) {
	t.Helper()
	s := memoryServer(t, Options{
		Apps: []App{{SDKAppID: id, Key: key, Admins: []string{identifier}}},
		Now:  func() time.Time { return time.Unix(at, 0) },
	})
	values := url.Values{"sdkappid": {strconv.FormatInt(id, 10)}, "identifier": {identifier}, "usersig": {usersig}, "random": {"0"}, "contenttype": {"json"}}
	w := httptest.NewRecorder()
	s.API().ServeHTTP(w, httptest.NewRequest(http.MethodPost, pathPrefix+"get_callback?"+values.Encode(), strings.NewReader("{}")))
	entry := s.Journal()[0]
	return entry.Verdict, w.Body.String()
}

func TestVectors(t *testing.T) {
	cases := []struct {
		id                       int64
		key, identifier, usersig string
		made, until              int64
	}{
		{firstID, firstKey, "administrator", firstSig, 1700000000, 1700086400},
		{appID, appKey, "admin", appSig, 1735689600, 1736294400},
		{thirdID, thirdKey, "user_01-A", thirdSig, 1767225600, 1767225780},
	}
	for i, c := range cases {
		for _, usersig := range []string{c.usersig, deflated[i]} {
			checks := []struct {
				name, key, identifier string
				id, at, code          int64
			}{
				{"made", c.key, c.identifier, c.id, c.made, 100301},
				{"last second", c.key, c.identifier, c.id, c.until, 100301},
				{"second too late", c.key, c.identifier, c.id, c.until + 1, 70001},
				{"other key", c.key + "0", c.identifier, c.id, c.made, 70009},
				{"other identifier", c.key, c.identifier + "2", c.id, c.made, 70013},
				{"other app", c.key, c.identifier, c.id + 1, c.made, 70014},
			}
			for _, check := range checks {
				code, _ := verdict(t, check.id, check.key, check.identifier, usersig, check.at)
				if code != check.code {
					t.Errorf("vector %d, %s: %d, want %d", i+1, check.name, code, check.code)
				}
			}
		}
	}
}

func TestUserSigMapping(t *testing.T) {
	buffered, err := tencentyun.GenUserSigWithBuf(int(appID), appKey, admin, 1<<30, []byte("room"))
	if err != nil {
		t.Fatal(err)
	}
	good := `{"TLS.ver":"2.0","TLS.identifier":"admin","TLS.sdkappid":1400000001,"TLS.expire":604800,"TLS.time":1735689600,"TLS.sig":"bKeFPxmgiVXFnd1AvTcR3PxaKq/Krgk1WB1Zb1Z4Q04="}`
	cases := []struct {
		name, usersig string
		code          int64
		info          string
	}{
		{"packed here", packed(good), 100301, ""},
		{"cut short", appSig[:100], 70003, ""},
		{"longer than 4 KiB", appSig + strings.Repeat("A", userSigLimit), 70003, "too long"},
		{"blank around", " " + appSig, 70003, "base64"},
		{"line end inside", appSig[:8] + "\n" + appSig[8:], 70003, "base64"},
		{"base64 of another alphabet", strings.NewReplacer("*", "+", "-", "/", "_", "=").Replace(appSig), 70003, "base64"},
		{"not compressed", userSigAlphabet.EncodeToString([]byte(good)), 70003, "zlib"},
		{"bomb", packed(good + strings.Repeat(" ", userSigTextLimit)), 70003, "too large"},
		{"no JSON", packed("hello"), 70003, "JSON"},
		{"app as text", packed(strings.Replace(good, "1400000001", `"1400000001"`, 1)), 70003, "JSON"},
		{"other version", packed(strings.Replace(good, "2.0", "1.0", 1)), 70003, "version"},
		{"other signature", packed(strings.Replace(good, "bKeF", "cKeF", 1)), 70009, "UserSig verification Failed."},
		{"expiry raised", packed(strings.Replace(good, "604800", "704800", 1)), 70009, "UserSig verification Failed."},
		{"no expiry", packed(strings.Replace(good, `"TLS.expire":604800,`, "", 1)), 70001, "expired"},
		{"with a buffer", buffered, 70009, "UserSig verification Failed."},
		{"other identifier", packed(strings.Replace(good, `"admin"`, `"adnim"`, 1)), 70013, "The requested UserID(admin) does not match the Usersig(adnim)."},
		{"other app", packed(strings.Replace(good, "1400000001", "1400000002", 1)), 70014, "The requested SDKAppID(1400000001) does not match the Usersig(1400000002)."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, body := verdict(t, appID, appKey, admin, c.usersig, day.Unix()+1)
			if code != c.code || !strings.Contains(body, c.info) {
				t.Errorf("got %d %s, want %d and %q", code, body, c.code, c.info)
			}
		})
	}
}

func TestGeneratedUserSig(t *testing.T) {
	usersig, err := tencentyun.GenUserSig(int(appID), appKey, admin, 600)
	if err != nil {
		t.Fatal(err)
	}
	if code, body := verdict(t, appID, appKey, admin, usersig, time.Now().Unix()); code != 100301 {
		t.Errorf("got %d %s", code, body)
	}
}

func TestTooManyFailures(t *testing.T) {
	c := &clock{now: day}
	s := startServer(t, Options{Now: c.Now, Apps: []App{oneApp(), {SDKAppID: firstID, Key: firstKey, Admins: []string{"administrator"}}}})
	client := newClient(t)
	bad := s.APIURL() + pathPrefix + "get_callback?" + query("usersig", "x")
	good := s.APIURL() + pathPrefix + "get_callback?" + query()
	other := s.APIURL() + pathPrefix + "get_callback?" + query("sdkappid", "88888888", "identifier", "administrator", "usersig", firstSig)
	cases := []struct {
		name   string
		move   time.Duration
		target string
		times  int
		code   int64
	}{
		{"29 failures", 0, bad, failuresAllowed - 1, 70003},
		{"good one between", 0, good, 1, 100301},
		{"first failures too old", failureSpan, bad, failuresAllowed - 1, 70003},
		{"still served", 0, good, 1, 100301},
		{"thirtieth within the minute", failureSpan - 1, bad, 1, 70003},
		{"good one refused", 0, good, 1, 70050},
		{"bad one refused alike", 0, bad, 40, 70050},
		{"other app untouched", 0, other, 1, 70001},
		{"just before the minute is over", failureSpan - 1, good, 1, 70050},
		{"after the minute", 1, good, 1, 100301},
		{"count began anew", 0, bad, failuresAllowed - 1, 70003},
		{"served", 0, good, 1, 100301},
	}
	for _, step := range cases {
		c.move(step.move)
		for i := range step.times {
			got, err := send(client, request(t, http.MethodPost, step.target, "{}"))
			if err != nil {
				t.Fatal(err)
			}
			if got.code() != step.code {
				t.Fatalf("%s, call %d: got %s, want %d", step.name, i, got.raw, step.code)
			}
		}
	}
}

func FuzzUserSig(f *testing.F) {
	for _, seed := range append([]string{"", "x", firstSig, appSig, thirdSig}, deflated...) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, usersig string) {
		c := &call{sdkappid: appID, app: oneApp(), at: day, query: url.Values{"usersig": {usersig}, "identifier": {admin}}}
		refused := verify(c)
		if refused != nil {
			if refused.info == "" {
				t.Error("refused without a word")
			}
			return
		}
		// The key is not in the seeds' reach, so only the vector's own signature can be accepted.
		signed, err := readUserSig(usersig)
		if err != nil || base64.StdEncoding.EncodeToString(signed.Sig) != "bKeFPxmgiVXFnd1AvTcR3PxaKq/Krgk1WB1Zb1Z4Q04=" {
			t.Errorf("accepted what is not the vector: %v", err)
		}
		if signed.SDKAppID != uint64(appID) || signed.Identifier != admin {
			t.Errorf("accepted the claims of another: %d %s", signed.SDKAppID, signed.Identifier)
		}
	})
}
