package tencent

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// got is what an answer leaves in a reply.
type got struct {
	Ending  Ending
	Fault   Fault
	Status  string
	Code    int64
	HasCode bool
	Info    string
	ID      string
}

func of(r Reply) got {
	return got{r.Ending, r.Fault, r.ActionStatus, r.ErrorCode, r.HasCode, r.ErrorInfo, r.RequestID}
}

type answerCase struct {
	name   string
	status int // 0: 200
	body   string
	want   got
}

func answerCases() []answerCase {
	ok := got{Accepted, "", "OK", 0, true, "", ""}
	refused := func(code int64) got { return got{Refused, "", "FAIL", code, true, "no", "r1"} }
	fail := func(code string) string {
		return `{"ActionStatus":"FAIL","ErrorCode":` + code + `,"ErrorInfo":"no","RequestId":"r1"}`
	}
	odd := func(status string, code int64, has bool) got {
		return got{Unknown, FaultShape, status, code, has, "", ""}
	}
	nothing := got{Unknown, FaultShape, "", 0, false, "", ""}
	cases := []answerCase{
		{"documented success", 0, goodAnswer, got{Accepted, "", "OK", 0, true, "", "Id-00112233445566778899aabbccddeeff-O-Seq-101"}},
		{"other order of members", 0, `{"RequestId":"r1","ErrorCode":0,"ErrorInfo":"","ActionStatus":"OK"}`, got{Accepted, "", "OK", 0, true, "", "r1"}},
		{"only what is needed", 0, `{"ActionStatus":"OK","ErrorCode":0}`, ok},
		{"unknown members", 0, `{"ActionStatus":"OK","ErrorCode":0,"x":{"ErrorCode":7,"ActionStatus":"FAIL"},"y":[1,2]}`, ok},
		{"doubled unknown members", 0, `{"ActionStatus":"OK","ErrorCode":0,"x":1,"x":2}`, ok},
		{"white space around", 0, " \r\n\t{ \"ActionStatus\" : \"OK\" , \"ErrorCode\" : 0 } \n\n", ok},
		{"escaped name", 0, `{"Action\u0053tatus":"OK","ErrorCode":0}`, ok},
		{"escaped OK", 0, `{"ActionStatus":"O\u004b","ErrorCode":0}`, ok},
		{"text on success", 0, `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"fine"}`, got{Accepted, "", "OK", 0, true, "fine", ""}},

		{"refused, in the catalogue", 0, fail("60010"), refused(60010)},
		{"refused, expired signature", 0, fail("70001"), refused(70001)},
		{"refused, exists already", 0, fail("100300"), refused(100300)},
		{"refused, missing", 0, fail("100301"), refused(100301)},
		{"refused, not in the catalogue", 0, fail("60022"), refused(60022)},
		{"refused, negative", 0, fail("-1"), refused(-1)},
		{"refused, largest code", 0, fail("9223372036854775807"), refused(9223372036854775807)},
		{"refused without RequestId", 0, `{"ActionStatus":"FAIL","ErrorCode":60002,"ErrorInfo":"HTTP parse Error"}`, got{Refused, "", "FAIL", 60002, true, "HTTP parse Error", ""}},

		{"FAIL with 0", 0, `{"ActionStatus":"FAIL","ErrorCode":0}`, odd("FAIL", 0, true)},
		{"OK with a code", 0, `{"ActionStatus":"OK","ErrorCode":60010}`, odd("OK", 60010, true)},
		{"OK with an unclear code", 0, `{"ActionStatus":"OK","ErrorCode":100001}`, odd("OK", 100001, true)},
		{"lower-case ok", 0, `{"ActionStatus":"ok","ErrorCode":0}`, odd("ok", 0, true)},
		{"OK with a blank", 0, `{"ActionStatus":"OK ","ErrorCode":0}`, odd("OK ", 0, true)},
		{"OK with NUL", 0, `{"ActionStatus":"OK\u0000","ErrorCode":0}`, odd("OK\x00", 0, true)},
		{"another word", 0, `{"ActionStatus":"SUCCESS","ErrorCode":0}`, odd("SUCCESS", 0, true)},
		{"lower-case fail", 0, `{"ActionStatus":"fail","ErrorCode":60010}`, odd("fail", 60010, true)},
		{"empty status", 0, `{"ActionStatus":"","ErrorCode":0}`, odd("", 0, true)},
		{"no status", 0, `{"ErrorCode":0}`, odd("", 0, true)},
		{"no code", 0, `{"ActionStatus":"OK"}`, odd("OK", 0, false)},
		{"status is true", 0, `{"ActionStatus":true,"ErrorCode":0}`, odd("", 0, true)},
		{"status is null", 0, `{"ActionStatus":null,"ErrorCode":0}`, odd("", 0, true)},
		{"status is a list", 0, `{"ActionStatus":["OK"],"ErrorCode":0}`, odd("", 0, true)},
		{"code 0.0", 0, `{"ActionStatus":"OK","ErrorCode":0.0}`, odd("OK", 0, false)},
		{"code -0", 0, `{"ActionStatus":"OK","ErrorCode":-0}`, odd("OK", 0, false)},
		{"code 0e0", 0, `{"ActionStatus":"OK","ErrorCode":0e0}`, odd("OK", 0, false)},
		{"code in quotes", 0, `{"ActionStatus":"OK","ErrorCode":"0"}`, odd("OK", 0, false)},
		{"code null", 0, `{"ActionStatus":"OK","ErrorCode":null}`, odd("OK", 0, false)},
		{"code false", 0, `{"ActionStatus":"OK","ErrorCode":false}`, odd("OK", 0, false)},
		{"code in a list", 0, `{"ActionStatus":"OK","ErrorCode":[0]}`, odd("OK", 0, false)},
		{"FAIL with 6e4", 0, `{"ActionStatus":"FAIL","ErrorCode":6e4}`, odd("FAIL", 0, false)},
		{"FAIL with 60010.0", 0, `{"ActionStatus":"FAIL","ErrorCode":60010.0}`, odd("FAIL", 0, false)},
		{"FAIL with a quoted code", 0, `{"ActionStatus":"FAIL","ErrorCode":"60010"}`, odd("FAIL", 0, false)},
		{"FAIL with too large a code", 0, `{"ActionStatus":"FAIL","ErrorCode":9223372036854775808}`, odd("FAIL", 0, false)},
		{"doubled status", 0, `{"ActionStatus":"OK","ErrorCode":0,"ActionStatus":"OK"}`, odd("OK", 0, true)},
		{"doubled status, FAIL last", 0, `{"ActionStatus":"OK","ErrorCode":0,"ActionStatus":"FAIL"}`, odd("OK", 0, true)},
		{"doubled status in another case", 0, `{"ActionStatus":"OK","ErrorCode":0,"actionstatus":"OK"}`, odd("OK", 0, true)},
		{"doubled status, long s", 0, `{"ActionStatus":"OK","ErrorCode":0,"ActionſtatuS":"FAIL"}`, odd("OK", 0, true)},
		{"doubled status by an escape", 0, `{"ActionStatus":"OK","ErrorCode":0,"\u0041ctionStatus":"OK"}`, odd("OK", 0, true)},
		{"doubled code", 0, `{"ActionStatus":"OK","ErrorCode":0,"ErrorCode":0}`, odd("OK", 0, true)},
		{"doubled code of FAIL", 0, `{"ActionStatus":"FAIL","ErrorCode":60010,"errorCode":60010}`, odd("FAIL", 60010, true)},
		{"doubled info", 0, `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","errorinfo":""}`, odd("OK", 0, true)},
		{"doubled RequestId", 0, `{"ActionStatus":"OK","ErrorCode":0,"RequestId":"a","RequestId":"b"}`, got{Unknown, FaultShape, "OK", 0, true, "", "a"}},
		{"doubled Response", 0, `{"ActionStatus":"OK","ErrorCode":0,"Response":{},"response":{}}`, odd("OK", 0, true)},
		{"names in another case only", 0, `{"actionstatus":"OK","errorcode":0}`, odd("OK", 0, true)},
		{"code in another case only", 0, `{"ActionStatus":"OK","errorCode":0}`, odd("OK", 0, true)},
		{"info is a number", 0, `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":1}`, odd("OK", 0, true)},
		{"info is null", 0, `{"ActionStatus":"FAIL","ErrorCode":60010,"ErrorInfo":null}`, odd("FAIL", 60010, true)},
		{"RequestId is an object", 0, `{"ActionStatus":"OK","ErrorCode":0,"RequestId":{}}`, odd("OK", 0, true)},
		{"two objects", 0, `{"ActionStatus":"OK","ErrorCode":0}{"ActionStatus":"FAIL","ErrorCode":1}`, odd("OK", 0, true)},
		{"something after it", 0, `{"ActionStatus":"OK","ErrorCode":0};`, odd("OK", 0, true)},
		{"NUL after it", 0, "{\"ActionStatus\":\"OK\",\"ErrorCode\":0}\x00", odd("OK", 0, true)},
		{"no closing brace", 0, `{"ActionStatus":"OK","ErrorCode":0`, odd("OK", 0, true)},
		{"trailing comma", 0, `{"ActionStatus":"OK","ErrorCode":0,}`, odd("OK", 0, true)},
		{"missing comma", 0, `{"ActionStatus":"OK" "ErrorCode":0}`, odd("OK", 0, false)},
		{"comment", 0, `{"ActionStatus":"OK","ErrorCode":0/*fine*/}`, odd("OK", 0, true)},
		{"code 00", 0, `{"ActionStatus":"OK","ErrorCode":00}`, odd("OK", 0, true)},
		{"code +0", 0, `{"ActionStatus":"OK","ErrorCode":+0}`, odd("OK", 0, false)},
		{"NaN", 0, `{"ActionStatus":"OK","ErrorCode":NaN}`, odd("OK", 0, false)},
		{"single quotes", 0, `{'ActionStatus':'OK','ErrorCode':0}`, nothing},
		{"a list around it", 0, `[{"ActionStatus":"OK","ErrorCode":0}]`, nothing},
		{"one level down", 0, `{"data":{"ActionStatus":"OK","ErrorCode":0}}`, nothing},
		{"byte order mark", 0, "\uFEFF" + goodAnswer, nothing},
		{"a callback function around it", 0, `cb({"ActionStatus":"OK","ErrorCode":0})`, nothing},
		{"protection against inclusion", 0, ")]}',\n" + goodAnswer, nothing},
		{"invalid UTF-8 in a value", 0, "{\"ActionStatus\":\"OK\",\"ErrorCode\":0,\"ErrorInfo\":\"\xff\"}", got{Unknown, FaultShape, "OK", 0, true, "\uFFFD", ""}},
		{"invalid UTF-8 in a name", 0, "{\"ActionStatus\":\"OK\",\"ErrorCode\":0,\"\xc3\x28\":1}", odd("OK", 0, true)},
		{"control character in a text", 0, "{\"ActionStatus\":\"OK\",\"ErrorCode\":0,\"x\":\"a\nb\"}", odd("OK", 0, true)},
		{"bad escape", 0, `{"ActionStatus":"OK","ErrorCode":0,"x":"\x"}`, odd("OK", 0, true)},
		{"no-break space after it", 0, "{\"ActionStatus\":\"OK\",\"ErrorCode\":0}\u00a0", odd("OK", 0, true)},
		{"too deep", 0, `{"ActionStatus":"OK","ErrorCode":0,"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, odd("OK", 0, true)},
		{"empty body", 0, ``, nothing},
		{"blanks only", 0, "  \n", nothing},
		{"empty object", 0, `{}`, nothing},
		{"null", 0, `null`, nothing},
		{"true", 0, `true`, nothing},
		{"a text", 0, `"OK"`, nothing},
		{"a number", 0, `0`, nothing},
		{"plain OK", 0, `OK`, nothing},
		{"a page", 0, `<html><body>OK</body></html>`, nothing},

		{"502 with a page", 502, `<html>bad gateway</html>`, got{Unknown, FaultStatus, "", 0, false, "", ""}},
		{"500 with success", 500, goodAnswer, got{Unknown, FaultStatus, "OK", 0, true, "", "Id-00112233445566778899aabbccddeeff-O-Seq-101"}},
		{"201 with success", 201, `{"ActionStatus":"OK","ErrorCode":0}`, got{Unknown, FaultStatus, "OK", 0, true, "", ""}},
		{"204", 204, ``, got{Unknown, FaultStatus, "", 0, false, "", ""}},
		{"403 with a refusal", 403, fail("60021"), got{Unknown, FaultStatus, "FAIL", 60021, true, "no", "r1"}},
		{"302", 302, goodAnswer, got{Unknown, FaultStatus, "OK", 0, true, "", "Id-00112233445566778899aabbccddeeff-O-Seq-101"}},
		{"307", 307, ``, got{Unknown, FaultStatus, "", 0, false, "", ""}},
		{"429", 429, fail("60007"), got{Unknown, FaultStatus, "FAIL", 60007, true, "no", "r1"}},
	}
	for _, code := range []string{"100001", "60008", "60013", "60014", "70169", "70202", "70500"} {
		want, _ := integerOf([]byte(code))
		cases = append(cases, answerCase{"may be done all the same " + code, 0, fail(code), got{Unknown, "", "FAIL", want, true, "no", "r1"}})
	}
	return cases
}

func TestAnswersOverHTTP(t *testing.T) {
	cases := answerCases()
	if len(cases) < 60 {
		t.Fatalf("%d cases", len(cases))
	}
	var current answerCase
	var hits int
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		hits++
		w.Header().Set("Location", "/v4/live_config/elsewhere")
		w.WriteHeader(max(current.status, 200))
		_, _ = io.WriteString(w, current.body)
	})
	c := newClient(t, Options{})
	for i, row := range cases {
		t.Run(row.name, func(t *testing.T) {
			current, hits = row, 0
			reply := update(c, target(base), uint32(i))
			if diff := cmp.Diff(row.want, of(reply)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if hits != 1 || reply.HTTPStatus != max(row.status, 200) || reply.AnswerSize != len(row.body) {
				t.Errorf("hits %d, status %d, size %d", hits, reply.HTTPStatus, reply.AnswerSize)
			}
			if reply.Accepted() != (row.want.Ending == Accepted) {
				t.Error("Accepted() differs from Ending")
			}
		})
	}
}

func TestGetCallbackAnswers(t *testing.T) {
	envelope := func(response string) string {
		return `{"ActionStatus":"OK","ErrorCode":0` + response + `}`
	}
	in := func(response string) string { return envelope(`,"Response":` + response) }
	rows := []struct {
		name, body string
		want       Callback
		ending     Ending
		fault      Fault
	}{
		{"documented", goodGet, Callback{"https://hooks.example.test/live", []string{"Live.CallbackAfterCreateRoom"}}, Accepted, ""},
		{"empty list", in(`{"Url":"http://a","CallbackCommandList":[]}`), Callback{"http://a", []string{}}, Accepted, ""},
		{"empty address", in(`{"Url":"","CallbackCommandList":[""]}`), Callback{"", []string{""}}, Accepted, ""},
		{"order, doubles and odd words are kept", in(`{"Url":"u","CallbackCommandList":["b","a","b"," \u0000é"]}`), Callback{"u", []string{"b", "a", "b", " \x00é"}}, Accepted, ""},
		{"replacement character as sent", in(`{"Url":"\ufffd","CallbackCommandList":["�"]}`), Callback{"\uFFFD", []string{"\uFFFD"}}, Accepted, ""},
		{"other members", in(`{"Url":"u","CallbackCommandList":[],"More":1}`), Callback{"u", []string{}}, Accepted, ""},
		{"no Response", envelope(``), Callback{}, Unknown, FaultShape},
		{"Response null", in(`null`), Callback{}, Unknown, FaultShape},
		{"Response a list", in(`[]`), Callback{}, Unknown, FaultShape},
		{"Response a text", in(`"x"`), Callback{}, Unknown, FaultShape},
		{"no address", in(`{"CallbackCommandList":[]}`), Callback{}, Unknown, FaultShape},
		{"no list", in(`{"Url":"u"}`), Callback{}, Unknown, FaultShape},
		{"list null", in(`{"Url":"u","CallbackCommandList":null}`), Callback{}, Unknown, FaultShape},
		{"list a text", in(`{"Url":"u","CallbackCommandList":"a,b"}`), Callback{}, Unknown, FaultShape},
		{"a number in the list", in(`{"Url":"u","CallbackCommandList":["a",1]}`), Callback{}, Unknown, FaultShape},
		{"null in the list", in(`{"Url":"u","CallbackCommandList":[null]}`), Callback{}, Unknown, FaultShape},
		{"address null", in(`{"Url":null,"CallbackCommandList":[]}`), Callback{}, Unknown, FaultShape},
		{"address in another case", in(`{"URL":"u","CallbackCommandList":[]}`), Callback{}, Unknown, FaultShape},
		{"doubled address", in(`{"Url":"u","url":"v","CallbackCommandList":[]}`), Callback{}, Unknown, FaultShape},
		{"doubled list", in(`{"Url":"u","CallbackCommandList":[],"CallbackCommandList":[]}`), Callback{}, Unknown, FaultShape},
		{"half a pair in a word", in(`{"Url":"u","CallbackCommandList":["\ud800"]}`), Callback{}, Unknown, FaultShape},
		{"half a pair in the address", in(`{"Url":"a\udc00","CallbackCommandList":[]}`), Callback{}, Unknown, FaultShape},
		{"none", `{"ActionStatus":"FAIL","ErrorCode":100301}`, Callback{}, Refused, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := newClient(t, Options{})
			callback, reply := c.GetCallback(t.Context(), target(answering(t, row.body)), 1)
			if diff := cmp.Diff(row.want, callback); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if reply.Ending != row.ending || reply.Fault != row.fault {
				t.Errorf("%s %q", reply.Ending, reply.Fault)
			}
		})
	}
}

func TestGetTokenAnswers(t *testing.T) {
	in := func(response string) string {
		return `{"ActionStatus":"OK","ErrorCode":0,"Response":` + response + `}`
	}
	rows := []struct {
		name, body string
		want       Token
		ending     Ending
		fault      Fault
	}{
		{"documented", in(`{"Token":"demo-token-1","IsTokenEnable":true}`), Token{"demo-token-1", true}, Accepted, ""},
		{"off", in(`{"IsTokenEnable":false,"Token":"s3cr3t/+=&?"}`), Token{"s3cr3t/+=&?", false}, Accepted, ""},
		{"no token", in(`{"IsTokenEnable":true}`), Token{}, Unknown, FaultShape},
		{"no switch", in(`{"Token":"demo-token-1"}`), Token{}, Unknown, FaultShape},
		{"switch a number", in(`{"Token":"demo-token-1","IsTokenEnable":1}`), Token{}, Unknown, FaultShape},
		{"switch a text", in(`{"Token":"demo-token-1","IsTokenEnable":"true"}`), Token{}, Unknown, FaultShape},
		{"switch null", in(`{"Token":"demo-token-1","IsTokenEnable":null}`), Token{}, Unknown, FaultShape},
		{"token a number", in(`{"Token":12345678,"IsTokenEnable":true}`), Token{}, Unknown, FaultShape},
		{"doubled token", in(`{"Token":"demo-token-1","token":"demo-token-2","IsTokenEnable":true}`), Token{}, Unknown, FaultShape},
		{"none", `{"ActionStatus":"FAIL","ErrorCode":100302}`, Token{}, Refused, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := newClient(t, Options{})
			token, reply := c.GetToken(t.Context(), target(answering(t, row.body)), 1)
			if token.Value.Reveal() != row.want.Value.Reveal() || token.Enabled != row.want.Enabled {
				t.Error("another token")
			}
			if reply.Ending != row.ending || reply.Fault != row.fault {
				t.Errorf("%s %q", reply.Ending, reply.Fault)
			}
			for _, secret := range []string{"demo-token", "s3cr3t", "12345678"} {
				if strings.Contains(everything(t, reply), secret) {
					t.Errorf("the reply shows %s", secret)
				}
			}
		})
	}
}

func FuzzDecide(f *testing.F) {
	for _, row := range answerCases() {
		if len(row.body) < 4096 {
			f.Add(max(row.status, 200), []byte(row.body))
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		ending, fault, _ := decide(status, body)
		if (ending == Accepted || ending == Refused) && (status != 200 || fault != "") {
			t.Fatalf("%s with status %d and fault %q", ending, status, fault)
		}
		if ending == NotSent {
			t.Fatal("an answer to a request that was not sent")
		}
		strict := strictEnvelope(body)
		if ending == Accepted && strict != "OK 0" {
			t.Fatalf("accepted, but the strict reading is %q", strict)
		}
		if ending == Refused && (!strings.HasPrefix(strict, "FAIL ") || strict == "FAIL 0") {
			t.Fatalf("refused, but the strict reading is %q", strict)
		}
		m := newMasker(testKey)
		if masked, _ := m.mask(append(slices.Clone(body), testKey...), keepLimit); strings.Contains(string(masked), testKey) {
			t.Fatal("the mask let the key through")
		}
	})
}

// strictEnvelope reads an answer byte by byte, without any JSON library, and gives "status code" or "".
func strictEnvelope(body []byte) string {
	s := &scanner{rest: body}
	if !utf8.Valid(body) {
		return ""
	}
	top := s.object(0)
	s.space()
	if s.bad || len(s.rest) > 0 {
		return ""
	}
	seen := map[string]int{}
	for _, pair := range top {
		for _, name := range []string{"ActionStatus", "ErrorCode"} {
			if strings.EqualFold(pair[0], name) {
				seen[name]++
			}
		}
	}
	status, code := "", ""
	for _, pair := range top {
		switch pair[0] {
		case "ActionStatus":
			status = pair[1]
		case "ErrorCode":
			code = pair[1]
		}
	}
	if seen["ActionStatus"] != 1 || seen["ErrorCode"] != 1 || strings.Trim(code, "-0123456789") != "" {
		return ""
	}
	return strings.TrimPrefix(status, `"`) + " " + code
}
