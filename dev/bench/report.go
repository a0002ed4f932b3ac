package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// section is the figures of one database and size.
type section struct {
	database      string
	entries, apps int
	figures       []figure
}

func (b *bench) sections() []section {
	var list []section
	for _, f := range b.figures {
		n := len(list)
		if n == 0 || list[n-1].database != f.Database || list[n-1].entries != f.Entries {
			list = append(list, section{database: f.Database, entries: f.Entries, apps: f.Apps})
			n++
		}
		list[n-1].figures = append(list[n-1].figures, f)
	}
	return list
}

// report is docs/performance.md.
func (b *bench) report() string {
	var w strings.Builder
	b.head(&w)
	for _, s := range b.sections() {
		if s.database == "" {
			fmt.Fprintf(&w, "\n## The binary\n\n")
		} else {
			fmt.Fprintf(&w, "\n## %s, %s changes, %s apps\n\n", databaseName(s.database), thousands(s.entries), thousands(s.apps))
		}
		pages, rest := split(s.figures)
		pageTable(&w, pages)
		figureTable(&w, rest)
	}
	return w.String()
}

func (b *bench) head(w *strings.Builder) {
	m := b.machine
	fmt.Fprintf(w, `# Speed and memory

<!-- Written by dev/bench; a new run replaces it. -->

Measured on %s with

    %s

on a machine with %d cores (%s), %s of memory, %s, %s; wrk, the bare handler, the sandbox, the database and the console share these cores.
PostgreSQL is measured when %s names a server, which %s does.

What the tables say:

- **answers a second**: closed model, `+"`wrk -t1 -c8`"+` for %d s, pages without compression, one signed-in session, request log written to a file.
- **of bare**: the same rate as a share of a bare net/http handler's in a process of its own, which sends a fixed page of the same size.
  It is measured right before. Machines differ, and this share with them: on one it was twice that on another. A search for an id answers with a short redirect, whose share says little.
- **p50, p99**: open model, requests at a fixed rate of a quarter of the closed model's, %.0f a second at most, whether or not earlier ones were answered.
  A latency counts from the moment that the request was planned for. "p99 bare" is the bare handler's at the same rate, so what the machine itself adds.
  A list has %d samples at least, another page or a search for words %d, where the page allows.
- **growth**: the p99 of a list as a share of that with the fewest changes, %d answers of each console in turns of %d, %.0f a second: between one size and the next the machine itself changes more than a list does.
- A page that takes longer than half a second is asked one request after another; one that does not answer in %.0f s stands at that limit.
- **own share** of form and apply: the whole time as the browser sees it, less the time in which the sandbox worked on its answers. Network and both HTTP ends count as own.
  Beside it stand the same exchanges with the bare handler: one with the browser and one for each call.
  Each is followed by a pause of %d ms, so it meets a machine that has just been idle, as a person's click does.
- Two durable commits are two transactions of one row of 1 kB, one after another, with the console's settings, beside each apply.
- Memory is the resident set of the process (VmRSS, at most VmHWM); on PostgreSQL that of the server is not in it. Start is the best of %d.
- kB on the wire are 1,000 bytes, heads of answers included, as a browser gets them with gzip.
- The database is seeded: entries over 400 days, few apps with most of them, 82 %% changes with plan, exchange and timeline, 18 %% drifts and acceptances.
- "page n" of the history is 10,000, or half-way back where there are fewer.
`, b.began.UTC().Format(time.DateOnly), b.command, m.cores, or(m.cpu, "unknown kind"), or(m.memory, "an unknown amount"), m.golang, or(m.kernel, "unknown kernel"),
		postgresVariable, "`make bench`", b.seconds, mostArrivals, p99Samples, fewSamples, growthTurns*growthTurn, growthTurn, mostArrivals, slowLimit.Seconds(), pause.Milliseconds(), starts)
	for _, note := range b.notes {
		fmt.Fprintf(w, "- %s.\n", note)
	}
	b.summary(w)
}

// summary counts what was met and names what was not.
func (b *bench) summary(w *strings.Builder) {
	var missed []string
	met := 0
	for _, f := range b.figures {
		switch {
		case f.Met == nil:
		case *f.Met:
			met++
		default:
			place := ""
			if f.Database != "" {
				place = fmt.Sprintf(" (%s, %s changes)", databaseName(f.Database), thousands(f.Entries))
			}
			missed = append(missed, f.Name+place+": "+f.shown()+"; goal "+f.Goal)
		}
	}
	fmt.Fprintf(w, "\n%d goals met, %d not met.\n", met, len(missed))
	if len(missed) > 0 {
		fmt.Fprintf(w, "\nNot met:\n\n- %s\n", strings.Join(missed, "\n- "))
	}
}

// shown is the value that a goal is held against.
func (f figure) shown() string {
	if p := f.Page; p != nil && p.Fault != "" {
		return fmt.Sprintf("%s of bare, then %s", share(p), p.Fault)
	} else if p != nil {
		return fmt.Sprintf("%s of bare, p95 %s ms, p99 %s ms", share(p), number(p.P95), number(p.P99))
	}
	return f.measured()
}

// measured is the value of a figure without a page.
func (f figure) measured() string {
	if f.Fault != "" {
		return f.Fault
	}
	return number(f.Value) + " " + f.Unit
}

func split(list []figure) (pages, rest []figure) {
	for _, f := range list {
		if f.Page != nil {
			pages = append(pages, f)
		} else {
			rest = append(rest, f)
		}
	}
	return pages, rest
}

func pageTable(w *strings.Builder, list []figure) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(w, "| page | bytes | answers a second | bare | of bare | at a second | p50 ms | p95 ms | p99 ms | p99 bare | goal | |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|---|")
	for _, f := range list {
		p := f.Page
		arrivals, bare, bareP99 := "one by one", "", ""
		if p.Arrivals > 0 {
			arrivals, bare, bareP99 = number(p.Arrivals), number(p.BareRate), p.latency(p.BareP99)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", f.Name, thousands(p.Bytes), number(p.Rate), bare, share(p), arrivals,
			p.latency(p.P50), p.latency(p.P95), p.latency(p.P99), bareP99, f.Goal, verdict(f))
	}
	fmt.Fprintln(w)
}

func figureTable(w *strings.Builder, list []figure) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(w, "| figure | measured | beside it | goal | |")
	fmt.Fprintln(w, "|---|--:|---|---|---|")
	for _, f := range list {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", f.Name, f.measured(), f.Beside, f.Goal, verdict(f))
	}
}

// latency is one in ms, or that it was not measured.
func (p *page) latency(ms float64) string {
	if p.Fault != "" {
		return "–"
	}
	return number(ms)
}

func verdict(f figure) string {
	if f.Met == nil {
		return ""
	}
	return word(*f.Met)
}

func word(met bool) string {
	if met {
		return "met"
	}
	return "**not met**"
}

func share(p *page) string {
	if p.BareRate == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", p.Ratio*100)
}

// number has three figures that count.
func number(v float64) string {
	switch {
	case v >= 1000:
		return thousands(int(v + 0.5))
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func thousands(n int) string {
	text := strconv.Itoa(n)
	var parts []string
	for len(text) > 3 {
		parts, text = append(parts, text[len(text)-3:]), text[:len(text)-3]
	}
	slices.Reverse(parts)
	return strings.Join(append([]string{text}, parts...), ",")
}

func databaseName(kind string) string {
	return map[string]string{"sqlite": "SQLite", "postgres": "PostgreSQL"}[kind]
}

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
