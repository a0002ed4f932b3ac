package handlers

import (
	"fmt"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"callboard/i18n"
	"callboard/views"
)

// clock shows times to one person: in their zone, which is named, with the exact UTC time behind.
type clock struct {
	p    *i18n.Printer
	zone *time.Location
	now  time.Time
}

func (s *server) clockOf(c echo.Context, p *i18n.Printer) clock {
	zone := s.Zone
	if v := sessionOf(c); v != nil && v.User.TimeZone != "" {
		if z, err := time.LoadLocation(v.User.TimeZone); err == nil {
			zone = z
		}
	}
	return clock{p: p, zone: zone, now: s.Clock().In(zone)}
}

// of is the clock of a zone that an address names, so that it asks a colleague elsewhere about the same time; else the
// person's own.
func (k clock) of(zone string) clock {
	if name := knownZone(zone); name != "" {
		if z, err := time.LoadLocation(name); err == nil {
			k.zone = z
		}
	}
	return k
}

// knownZone is the name of a zone, "" for what is none.
func knownZone(name string) string {
	if _, err := time.LoadLocation(name); err != nil || name == time.Local.String() {
		return ""
	}
	return name
}

func (k clock) at(ms int64) time.Time { return time.UnixMilli(ms).In(k.zone) }

// zoneName is UTC, or the offset such as UTC+8, as it is at the moments that stand beside it; of moments with several
// offsets, as in summer and winter, it is the zone's name.
func (k clock) zoneName(at int64, more ...int64) string {
	_, offset := k.at(at).Zone()
	for _, ms := range more {
		if _, other := k.at(ms).Zone(); other != offset {
			return k.zone.String()
		}
	}
	if offset == 0 {
		return "UTC"
	}
	sign, rest := "+", offset
	if offset < 0 {
		sign, rest = "−", -offset
	}
	if m := rest % 3600 / 60; m != 0 {
		return fmt.Sprintf("UTC%s%d:%02d", sign, rest/3600, m)
	}
	return fmt.Sprintf("UTC%s%d", sign, rest/3600)
}

func utc(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// time shows the clock time, with the date when it is not today's.
func (k clock) time(ms int64) views.Time {
	t := k.at(ms)
	text := k.p.Clock(t)
	if !sameDay(t, k.now) {
		text = k.p.Stamp(t)
	}
	return exact(text, ms)
}

func (k clock) clockTime(ms int64) views.Time { return exact(k.p.Clock(k.at(ms)), ms) }

// exact is a time in words with the exact one behind.
func exact(text string, ms int64) views.Time {
	full := utc(ms)
	return views.Time{Text: text, ISO: full, Title: full}
}

// stamp is the date and time with the zone.
func (k clock) stamp(ms int64) string { return k.p.Stamp(k.at(ms)) + " (" + k.zoneName(ms) + ")" }

// short is the clock time with the zone, and the date when it is not today's.
func (k clock) short(ms int64) string { return k.time(ms).Text + " (" + k.zoneName(ms) + ")" }

// since is the age as exact as words say it.
func (k clock) since(ms int64) time.Duration {
	d := k.now.Sub(time.UnixMilli(ms))
	switch {
	case d < 5*time.Second:
		return 0
	case d < time.Minute:
		return d.Truncate(time.Second)
	case d < time.Hour:
		return d.Truncate(time.Minute)
	case d < 24*time.Hour:
		return d.Truncate(time.Hour)
	}
	return d.Truncate(24 * time.Hour)
}

// ago is the age in words.
func (k clock) ago(ms int64) string {
	d := k.since(ms)
	switch {
	case d == 0:
		return k.p.T("ago.now")
	case d < time.Minute:
		return k.p.N("ago.seconds", int(d/time.Second))
	case d < time.Hour:
		return k.p.N("ago.minutes", int(d/time.Minute))
	case d < 24*time.Hour:
		return k.p.N("ago.hours", int(d/time.Hour))
	}
	return k.p.N("ago.days", int(d/(24*time.Hour)))
}

// age is the age in words, with the exact moment behind.
func (k clock) age(ms int64) views.Time {
	return views.Time{Text: k.ago(ms), ISO: utc(ms), Title: k.stamp(ms)}
}

// day is the title of a day's rows.
func (k clock) day(ms int64) string {
	t := k.at(ms)
	if sameDay(t, k.now) {
		return k.p.T("history.today", "Day", k.p.Day(t))
	}
	return k.p.Day(t)
}

func sameDay(a, b time.Time) bool {
	x, y := a.Year()*1000+a.YearDay(), b.Year()*1000+b.YearDay()
	return x == y
}

// kept says how long entries stay, "" for ever.
func (s *server) kept(p *i18n.Printer) string {
	if s.Retention == 0 {
		return ""
	}
	return p.N("history.kept", int(s.Retention/(24*time.Hour)))
}

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }
