package tencent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// referenceCodes are the codes of the reference, sections 1.9 and 7.1 to 7.4, typed in apart from the catalogue.
const referenceCodes = `10016 10100
60002 60003 60004 60005 60006 60007 60008 60009 60010 60011 60012 60013 60014 60015 60016 60017 60018 60019 60020 60021
60025 60026 60027 60028
70001 70002 70003 70005 70009 70013 70014 70016 70020 70032 70050 70051 70052 70101 70107 70114 70169 70202 70206 70346
70398 70399 70402 70403 70404 70500 71000 72000 72001 72002 72010 72011 72012
80001 80002 80003 80004 80005 90992
100001 100002 100003 100004 100005 100006 100007 100008 100009 100010 100011 100012 100013 100015 100016 100017 100018
100019 100020 100102 100200 100201 100202 100203 100204 100205 100206 100210 100211 100251 100300 100301 100302
100400 100401 100402 100403 100404 100405 100411 100412 100413 100414 100415 100416 100419 100420 100421
100500 100501 100502 100503 100504 102100 120001`

var (
	sides   = []Side{SideConsole, SideApp, SideTencent, SideRoom}
	repeats = []Repeat{RepeatYes, RepeatLater, RepeatAfterFix, RepeatNo, RepeatUnknown}
)

func TestErrorCodes(t *testing.T) {
	var listed, unclear, unverified, ranges []string
	for _, e := range ErrorCodes() {
		code := strconv.FormatInt(e.Code, 10)
		listed = append(listed, code)
		if !e.NotDone {
			unclear = append(unclear, code)
		}
		if e.Unverified {
			unverified = append(unverified, code)
		}
		if e.Last != 0 {
			ranges = append(ranges, fmt.Sprintf("%d-%d", e.Code, e.Last))
		}
		if !slices.Contains(sides, e.Side) || !slices.Contains(repeats, e.Repeat) || e.Sources == "" {
			t.Errorf("%d: side %q, repeat %q, sources %q", e.Code, e.Side, e.Repeat, e.Sources)
		}
		if found, ok := findCode(e.Code); !ok || found != e {
			t.Errorf("%d is not found", e.Code)
		}
	}
	facts := map[string][]string{"listed": listed, "unclear": unclear, "unverified": unverified, "ranges": ranges}
	want := map[string][]string{
		"listed":     strings.Fields(referenceCodes),
		"unclear":    {"60008", "60013", "60014", "70169", "70202", "70500", "100001"},
		"unverified": {"70032", "70052", "70346"},
		"ranges":     {"10100-10200", "102100-102200", "120001-130000"},
	}
	if diff := cmp.Diff(want, facts); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, code := range []int64{0, -1, 1, 10150, 60022, 60024, 99999999} {
		if _, ok := findCode(code); ok {
			t.Errorf("%d is found", code)
		}
	}
	for code, first := range map[int64]int64{10100: 10100, 10150: 10100, 10200: 10100, 102200: 102100, 130000: 120001, 10099: 0, 10201: 0, 60010: 0} {
		if found, ok := findRange(code); found.Code != first || ok != (first != 0) {
			t.Errorf("%d is in the range of %d", code, found.Code)
		}
	}
	ErrorCodes()[0].Code = 1
	if ErrorCodes()[0].Code == 1 {
		t.Error("the catalogue can be changed from outside")
	}
}

func TestCommands(t *testing.T) {
	type row struct {
		Number                int
		Word                  string
		Group                 Group
		Kind                  Kind
		Blocking, Chat, Doubt bool
		PolicyOf, Document    string
	}
	want := []row{
		{14, "Live.CallbackBeforeSendGift", GroupBlocking, KindBefore, true, false, false, "", "647/72210"},
		{15, "Live.CallbackBeforeCallBackNotBlock", GroupBlocking, KindSetting, false, false, false, "Live.CallbackBeforeSendGift", "647/72210"},
		{16, "Group.CallbackBeforeSendMsg", GroupBlocking, KindBefore, true, true, false, "", "647/74347"},
		{1, "Live.CallbackAfterCreateRoom", GroupRoom, KindAfter, false, false, false, "", "647/64422"},
		{2, "Live.CallbackAfterDestroyRoom", GroupRoom, KindAfter, false, false, false, "", "647/64423"},
		{3, "Live.CallbackAfterUpdateRoomInfo", GroupRoom, KindAfter, false, false, false, "", "647/67938"},
		{4, "Live.CallbackAfterSetMetadata", GroupRoom, KindAfter, false, false, false, "", "647/68222"},
		{5, "Live.CallbackAfterDelMetadata", GroupRoom, KindAfter, false, false, false, "", "647/68223"},
		{6, "Live.CallbackAfterCreateRoomReachingThreshold", GroupRoom, KindAfter, false, false, false, "", "647/70485"},
		{20, "Live.CallbackAfterCloudRecordingChanged", GroupRoom, KindAfter, false, false, true, "", "647/78428"},
		{7, "Live.CallbackAfterMemberStateChanged", GroupMembers, KindAfter, false, false, false, "", "647/64424"},
		{8, "Live.CallbackAfterChangeOwner", GroupMembers, KindAfter, false, false, false, "", "647/72553"},
		{9, "Live.CallbackAfterModifyAdmin", GroupMembers, KindAfter, false, false, false, "", "647/72554"},
		{10, "Mic.CallbackAfterSeatInfoChanged", GroupSeats, KindAfter, false, false, false, "", "647/64425"},
		{11, "Live.CallbackAfterCreateBattle", GroupSeats, KindAfter, false, false, false, "", "647/68259"},
		{12, "Live.CallbackAfterStartBattle", GroupSeats, KindAfter, false, false, false, "", "647/68260"},
		{13, "Live.CallbackAfterEndBattle", GroupSeats, KindAfter, false, false, false, "", "647/68261"},
		{17, "Group.CallbackAfterSendMsg", GroupShared, KindAfter, false, true, false, "", "647/74348"},
		{18, "Follow.CallbackAfterFollowAdd", GroupShared, KindAfter, false, true, false, "", "647/74356"},
		{19, "Follow.CallbackAfterFollowDelete", GroupShared, KindAfter, false, true, false, "", "647/74357"},
	}
	var got []row
	for _, c := range Commands() {
		got = append(got, row{c.Number, c.Word, c.Group, c.Kind, c.Blocking, c.SharedWithChat, c.PrefixDoubt, c.PolicyOf, c.Document})
		if found, ok := FindCommand(c.Word); !ok || found != c {
			t.Errorf("%s is not found", c.Word)
		}
		checkSample(t, c)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if EventCount() != 19 {
		t.Errorf("%d events", EventCount())
	}
	for _, word := range []string{"", "Follow.CallbackAfterCloudRecordingChanged", "live.callbackaftercreateroom", "Live.CallbackAfterCreateRoom "} {
		if _, ok := FindCommand(word); ok {
			t.Errorf("%q is found", word)
		}
	}
	groups := []Group{"blocking", "room", "members", "seats", "shared"}
	if !slices.Equal(Groups(), groups) {
		t.Errorf("%v", Groups())
	}
}

func checkSample(t *testing.T, c Command) {
	t.Helper()
	if c.Kind == KindSetting {
		if c.Sample != "" {
			t.Errorf("%s is never delivered and has a sample", c.Word)
		}
		return
	}
	var sample struct{ CallbackCommand string }
	if err := json.Unmarshal([]byte(c.Sample), &sample); err != nil || sample.CallbackCommand != c.Word {
		t.Errorf("sample of %s: %v, %s", c.Word, err, sample.CallbackCommand)
	}
}

var catalogueLine = regexp.MustCompile(`^"([^"\\]+)" = ("(?:[^"\\]|\\["\\])*")$`)

// texts reads a catalogue: one flat quoted key a line.
func texts(t *testing.T, name, language string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("../i18n/catalogues/" + name + "." + language + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for line := range bytes.Lines(raw) {
		parts := catalogueLine.FindStringSubmatch(strings.TrimSuffix(string(line), "\n"))
		if parts == nil {
			t.Errorf("%s %s: %s", name, language, line)
			continue
		}
		value, err := strconv.Unquote(parts[2])
		if err != nil || strings.TrimSpace(value) == "" || value != strings.TrimSpace(value) {
			t.Errorf("%s %s: %s", name, language, line)
		}
		if _, double := found[parts[1]]; double {
			t.Errorf("%s %s: %s is there twice", name, language, parts[1])
		}
		found[parts[1]] = value
	}
	return found
}

func wantedKeys(name string) []string {
	var keys []string
	add := func(format string, args ...any) { keys = append(keys, fmt.Sprintf(format, args...)) }
	switch name {
	case "errors":
		codes := []string{"unknown"}
		codes = append(codes, strings.Fields(referenceCodes)...)
		for _, code := range codes {
			for _, part := range []string{"meaning", "cause", "do"} {
				add("error.%s.%s", code, part)
			}
		}
		for _, side := range sides {
			add("side.%s", side)
		}
		for _, repeat := range repeats {
			add("repeat.%s", repeat)
		}
	case "commands":
		for _, c := range Commands() {
			add("command.%s.name", c.Word)
			add("command.%s.when", c.Word)
		}
		for _, group := range Groups() {
			add("group.%s.name", group)
		}
		add("group.blocking.why")
		add("group.shared.why")
	case "regions":
		for _, r := range builtIn {
			add("region.%s", r.Name)
		}
		for _, listing := range []Listing{ListedCallback, ListedLive, ListedChat, ListedNowhere, ListedExtra} {
			add("listing.%s", listing)
		}
	}
	slices.Sort(keys)
	return keys
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

var chinese = regexp.MustCompile(`\p{Han}`)

func TestTexts(t *testing.T) {
	for _, name := range []string{"errors", "commands", "regions"} {
		want := wantedKeys(name)
		for _, language := range []string{"en", "zh-Hans"} {
			found := texts(t, name, language)
			if diff := cmp.Diff(want, sortedKeys(found)); diff != "" {
				t.Errorf("%s %s (-want +got)\n%s", name, language, diff)
			}
			for key, value := range found {
				checkText(t, language, key, value)
			}
		}
	}
}

func checkText(t *testing.T, language, key, value string) {
	t.Helper()
	if chinese.MatchString(value) != (language == "zh-Hans") {
		t.Errorf("%s %s is in another language: %s", language, key, value)
	}
	end := map[string]string{"en": ".", "zh-Hans": "。"}[language]
	switch sentence := strings.HasSuffix(value, end); {
	case strings.HasSuffix(key, ".meaning") && sentence:
		t.Errorf("%s %s is to follow a headline's colon: %s", language, key, value)
	case (strings.HasSuffix(key, ".do") || strings.HasSuffix(key, ".cause")) && !sentence:
		t.Errorf("%s %s is no sentence: %s", language, key, value)
	}
}

// What was only seen, or found nowhere, is said so.
func TestUnverifiedCodesSaySo(t *testing.T) {
	for language, words := range map[string]string{"en": "not documented by Tencent", "zh-Hans": "腾讯云文档"} {
		found := texts(t, "errors", language)
		for _, e := range ErrorCodes() {
			if cause := found[fmt.Sprintf("error.%d.cause", e.Code)]; e.Unverified && !strings.Contains(cause, words) {
				t.Errorf("%s %d: %s", language, e.Code, cause)
			}
		}
	}
}

func TestDirectory(t *testing.T) {
	d, err := NewDirectory("")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range d.All() {
		got = append(got, fmt.Sprintf("%s %s %s %v", r.Name, r.BaseURL, r.Listed, r.Extra))
		if found, ok := d.Find(r.Name); !ok || found != r || r.BaseURL != "https://"+r.Host {
			t.Errorf("%+v", r)
		}
	}
	want := []string{
		"china https://console.tim.qq.com callback false",
		"singapore https://adminapisgp.im.qcloud.com callback false",
		"usa https://adminapiusa.im.qcloud.com callback false",
		"indonesia https://adminapiidn.im.qcloud.com live false",
		"korea https://adminapikr.im.qcloud.com chat false",
		"germany https://adminapiger.im.qcloud.com chat false",
		"japan https://adminapijpn.im.qcloud.com chat false",
		"india https://adminapiind.im.qcloud.com chat false",
		"saudi https://adminapiksa.im.qcloud.com nowhere false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, name := range []string{"", "China", "moon"} {
		if _, ok := d.Find(name); ok {
			t.Errorf("%q is found", name)
		}
	}
}

func TestExtraEndpoints(t *testing.T) {
	d, err := NewDirectory(" sandbox=http://127.0.0.1:9100 ,two-2=https://[::1]:9,x=http://host")
	if err != nil {
		t.Fatal(err)
	}
	want := []Region{
		{"sandbox", "127.0.0.1:9100", "http://127.0.0.1:9100", ListedExtra, true},
		{"two-2", "[::1]:9", "https://[::1]:9", ListedExtra, true},
		{"x", "host", "http://host", ListedExtra, true},
	}
	if diff := cmp.Diff(want, d.All()[len(builtIn):]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if found, ok := d.Find("two-2"); !ok || found != want[1] {
		t.Errorf("%+v", found)
	}
	long := strings.Repeat("a", 33)
	for _, extra := range []string{
		"sandbox", "=http://h", "Big=http://h", "a_b=http://h", "a b=http://h", long + "=http://h",
		"a=ftp://h", "a=h:80", "a=//h", "a=", "a=http://", "a=http://:80", "a=HTTP://h",
		"a=http://h/", "a=http://h/p", "a=http://h?q=1", "a=http://h#f", "a=http://u:hidden@h",
		"a=http://h:", "a=http://h:0", "a=http://h:65536", "a=http://h:x", "a=http://[::1", "a=http://h h", "a=http://h%2f",
		"china=http://h", "a=http://h,a=http://g", "a=http://h,", ",a=http://h", "a=http://h,,b=http://g",
	} {
		d, err := NewDirectory(extra)
		if err == nil || d != nil {
			t.Errorf("%q is taken", extra)
		} else if strings.Contains(err.Error(), "hidden") {
			t.Errorf("the error shows a password: %v", err)
		}
	}
}

// TestFaultsOfOurOwn: those of which Tencent and its host know nothing.
func TestFaultsOfOurOwn(t *testing.T) {
	var got []Fault
	for _, f := range append(Faults(), "") {
		if f.HeldBack() {
			got = append(got, f)
		}
	}
	if diff := cmp.Diff([]Fault{FaultSign, FaultLimited, FaultLate, FaultRequest}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
