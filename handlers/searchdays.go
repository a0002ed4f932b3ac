package handlers

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	onlyDate  = regexp.MustCompile(`^\d{4}[-/]\d\d[-/]\d\d$`)
	onlyClock = regexp.MustCompile(`(?i)^\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:z|[+-]\d\d:?\d\d)?$`)
	// dateAndClock is a time that does not say its zone.
	dateAndClock = regexp.MustCompile(`(?i)^\d{4}[-/]\d\d[-/]\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?$`)
	aZone        = regexp.MustCompile(`(?i)^(?:(?:utc|gmt)?([+-])(\d{1,2})(?::?(\d\d))?|utc|gmt|z)$`)
)

// zoneOf writes a zone as times have it behind them, "" for what is none.
func zoneOf(text string) string {
	m := aZone.FindStringSubmatch(text)
	switch {
	case m == nil:
		return ""
	case m[1] == "":
		return "Z"
	}
	return m[1] + ("0" + m[2])[len(m[2])-1:] + ":" + orElse(m[3], "00")
}

// ownZone ends a time that says its zone.
var ownZone = regexp.MustCompile(`(?i)(?:z|[+-]\d\d:?\d\d)$`)

// time understands from: and to:. A day is another one to a colleague elsewhere who is sent the address, so the zone is said.
func (u *understood) time(i int, k clock) {
	t := u.terms[i]
	if m := dayNamed.FindStringSubmatch(t.value); m != nil {
		t.value = k.now.In(k.zone).AddDate(0, 0, -dayNames[strings.ToLower(m[1])]).Format(time.DateOnly)
		if m[2] != "" {
			t.value += "T" + m[2]
		}
	}
	from, to, ok := k.span(t.value)
	if !ok {
		id := "date"
		if likeTime.MatchString(t.value) {
			id = "no_date"
		}
		u.ignore(id, t.raw)
		return
	}
	if t.name == "from" {
		u.filter.From = from
	} else {
		u.filter.To = to
	}
	value := t.value
	if from != to && !ownZone.MatchString(value) {
		value += " (" + k.zoneName(from) + ")"
		u.zoned = true
	}
	u.add(t.name, value, i)
}

// likeTime is written like a day or a time, which may still be none.
var likeTime = regexp.MustCompile(`^\d{4}[-/]\d\d[-/]\d\d(?:$|[Tt])`)

// aloneOrTime tells whether a term without a name is a day or a time, or stands alone and is written like one.
func (u *understood) aloneOrTime(i int, k clock) bool {
	_, _, ok := k.span(u.terms[i].value)
	return dayNamed.MatchString(u.terms[i].value) || likeTime.MatchString(u.terms[i].value) && (ok || len(u.terms) == 1)
}

// dayNames are days by how long ago they were.
var dayNames = map[string]int{"today": 0, "yesterday": 1, "今天": 0, "昨天": 1}

// dayNamed is such a day, and a clock time of it.
var dayNamed = regexp.MustCompile(`(?i)^(today|yesterday|今天|昨天)(?: (.+))?$`)

// day understands a day or a time without a name: from its beginning to its end.
func (u *understood) day(i int, k clock) {
	for _, name := range []string{"from", "to"} {
		u.terms[i].name = name
		u.time(i, k)
		if len(u.chips) == 0 {
			return // there is none, which is said once
		}
	}
}

// until understands the second of two days, the first of which has no name: together they are a range. What is left when one
// of them is taken away is the other end of it.
func (u *understood) until(first, i int, k clock) {
	u.filter.To = 0
	u.chips = slices.DeleteFunc(u.chips, func(c chip) bool { return c.kind == "to" })
	u.terms[first].raw = "from:" + u.terms[first].raw
	if u.terms[i].name == "" {
		u.terms[i].raw = "to:" + u.terms[i].raw
	}
	u.terms[i].name = "to"
	u.time(i, k)
}

// isTime tells whether a text is a day or a time that can be understood.
func (k clock) isTime(text string) bool {
	_, _, ok := k.span(text)
	return ok || dayNamed.MatchString(text)
}

// span is a day, a minute or a second in the person's zone or one that it names, as logs and exports write them, or an age
// such as 3d or 12h, as Unix milliseconds from and to.
func (k clock) span(text string) (from, to int64, ok bool) {
	if n, err := strconv.Atoi(strings.TrimRight(text, "dh")); err == nil && n > 0 && n < 100_000 && len(text) == len(strconv.Itoa(n))+1 {
		unit := time.Hour
		if strings.HasSuffix(text, "d") {
			unit *= 24
		}
		at := k.now.Add(-time.Duration(n) * unit).UnixMilli()
		return at, at, true
	}
	text = strings.ReplaceAll(text, "/", "-")
	if t, err := time.ParseInLocation("2006-01-02", text, k.zone); err == nil {
		return t.UnixMilli(), t.AddDate(0, 0, 1).UnixMilli(), true
	}
	for _, x := range []struct {
		layout string
		unit   time.Duration
	}{{"2006-01-02T15:04", time.Minute}, {"2006-01-02T15:04Z07:00", time.Minute}, {"2006-01-02T15:04Z0700", time.Minute}, {"2006-01-02T15:04:05Z0700", time.Second}, {"2006-01-02T15:04:05", time.Second}, {time.RFC3339, time.Second}} {
		// Seconds may have a fraction.
		if t, err := time.ParseInLocation(x.layout, strings.ToUpper(text), k.zone); err == nil {
			return t.UnixMilli(), t.Add(x.unit).UnixMilli(), true
		}
	}
	return 0, 0, false
}
