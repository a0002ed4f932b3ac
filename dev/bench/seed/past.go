package seed

import (
	"fmt"
	"math/rand/v2"

	"callboard/changes"
	"callboard/store"
	"callboard/tencent"
)

// Spread of the past.
const (
	poolSize   = 6   // configurations that an app goes back and forth between
	days       = 400 // how far back entries reach
	openOnes   = 3   // apps whose last change nobody could settle yet
	dayMS      = 24 * 3600 * 1000
	firstAppID = 1400100001
)

// app is an app while its past is made.
type app struct {
	id          int64
	name        string
	environment string
	pool        []store.Configuration
	digests     []string
	current     int // what the callback is at this moment of the past
	open        bool
}

// past makes entries one after another, oldest first.
type past struct {
	options Options
	random  *rand.Rand
	often   *rand.Zipf // few apps change often, most hardly ever
	apps    []app
	seeded  Seeded
	// The difference between two configurations of one app is the same every time.
	differences map[[3]int]difference
}

func newPast(o Options) *past {
	random := rand.New(rand.NewPCG(20, 26))
	p := &past{options: o, random: random, often: rand.NewZipf(random, 1.2, 12, uint64(o.Apps-1)), differences: map[[3]int]difference{}}
	for i := range o.Apps {
		p.apps = append(p.apps, newApp(random, i))
	}
	p.seeded.Person, p.seeded.BusyApp, p.seeded.Path = people[0], p.apps[0].id, fmt.Sprintf("/rtc/%d/v2", 0)
	return p
}

var (
	places = []string{"Aurora", "Harbor", "Cedar", "Tide", "Lantern", "Meadow", "Summit", "Willow", "Ember", "Quartz", "Orchard", "Falcon"}
	trades = []string{"Show", "Shop", "Classroom", "Radio", "Arena", "Karaoke", "Market", "Stage"}
	people = []string{"mei", "jonas", "amara", "wei", "sofia", "haruto", "lena", "omar", "priya", "tomas", "chen", "nadia", "felix", "yuki", "ines", "bo"}
	hosts  = []string{"hooks.example.com", "live-gateway.example.net", "events.example.org:8443", "callback.example.com"}
	why    = []string{
		"Move to the new gateway", "Gift events for the order service", "Room events for the dashboard", "Stop the noise of message events",
		"Try the checks in staging", "礼物事件接入订单服务", "Back to what worked on Monday", "Ticket 4711: viewers are not counted",
	}
)

func newApp(random *rand.Rand, i int) app {
	a := app{id: int64(firstAppID + i), name: fmt.Sprintf("%s %s %d", places[i%len(places)], trades[i/len(places)%len(trades)], i), environment: store.Production}
	switch i % 5 {
	case 3:
		a.environment = store.Staging
	case 4:
		a.environment = store.Test
	}
	list := tencent.Commands()
	for n := range poolSize {
		var words []string
		for _, c := range list {
			if random.IntN(3) == 0 {
				words = append(words, c.Word)
			}
		}
		a.pool = append(a.pool, store.NewConfiguration(fmt.Sprintf("https://%s/rtc/%d/v%d", hosts[i%len(hosts)], i, n/2), append(words, list[n].Word)))
	}
	return a
}

// entry is one change with all that hangs on it.
type entry struct {
	store.Change
	about   []string
	plan    string
	planned int64
}

// difference is what package changes says about two configurations.
type difference struct {
	summary string
	about   []string
}

// next makes the entry of a number.
func (p *past) next(number int) entry {
	left := p.options.Entries - number
	i := int(p.often.Uint64())
	if left < openOnes {
		i = p.options.Apps - 1 - left // one open change an app, at the end of the past
	}
	a := &p.apps[i]
	e := entry{Change: store.Change{Number: int64(number), SDKAppID: a.id, App: a.name, Environment: a.environment, Region: p.options.Region, Host: p.options.Host}}
	step := int64(days) * dayMS / int64(p.options.Entries+1)
	e.StartedAt = p.options.Now.UnixMilli() - int64(left+1)*step + p.random.Int64N(step+1)/2
	wanted := (a.current + 1 + p.random.IntN(len(a.pool)-1)) % len(a.pool)
	switch kind := p.random.IntN(100); {
	case left < openOnes:
		p.change(&e, a, wanted)
		e.Outcome, e.Settled, e.Cause, e.ErrorCode, e.RequestID, e.ActionStatus, e.SettledAt = store.Unknown, "", "timeout", nil, "", "", 0
		e.ReadBack, e.ReadBackAt, a.open = "", 0, true
	case kind < 82:
		p.change(&e, a, wanted)
	case kind < 96:
		p.drift(&e, a, wanted)
	default:
		p.drift(&e, a, wanted)
		e.Kind, e.Call, e.Reason = store.KindAccepted, "", pick(p.random, why)
		p.person(&e)
	}
	return e
}

func (p *past) person(e *entry) {
	// The first of the list has half of all entries.
	name := people[0]
	if p.random.IntN(2) == 0 {
		name = pick(p.random, people)
	}
	e.Actor = store.Actor{Kind: store.PersonActor, Name: name, Role: store.Operator, Address: fmt.Sprintf("10.4.%d.%d", p.random.IntN(4), 1+p.random.IntN(250))}
}

// change is an attempt: nine in ten are applied.
func (p *past) change(e *entry, a *app, wanted int) {
	e.Kind, e.Call, e.Reason = store.KindChange, string(tencent.CallUpdateCallback), pick(p.random, why)
	p.person(e)
	e.plan, e.planned = fmt.Sprintf("%016x", mix(uint64(e.Number))), e.StartedAt-40_000
	attempt := int64(uint32(e.Number) * 2654435761) // an odd factor: no two numbers share one
	e.Attempt, e.Previous, e.Wanted = &attempt, a.digests[a.current], a.digests[wanted]
	p.compare(e, a, a.current, wanted)
	took, code, status := 40+p.random.Int64N(220), int64(0), int64(200)
	e.DurationMS, e.EndedAt, e.HTTPStatus, e.ErrorCode = &took, e.StartedAt+took+35, &status, &code
	e.ActionStatus, e.RequestID, e.Outcome = "OK", requestID(uint64(e.Number), e.Number), store.Applied
	switch luck := p.random.IntN(1000); {
	case luck < 60:
		p.refuse(e)
	case luck < 80:
		e.Outcome, e.Cause, e.DurationMS, e.HTTPStatus, e.ErrorCode = store.NotSent, store.CauseMoved, nil, nil, nil
		e.ActionStatus, e.RequestID, e.Found = "", "", a.digests[wanted]
	case luck < 100:
		e.Outcome, e.Cause, e.ErrorCode, e.ActionStatus, e.RequestID = store.Unknown, "timeout", nil, "", ""
		e.Settled, e.SettledAt = pick(p.random, []string{store.Applied, store.NotApplied, store.Overtaken}), e.EndedAt+31_000
	default:
		a.current = wanted
		e.ReadBack, e.ReadBackAt = e.Wanted, e.EndedAt+90
		if p.seeded.Change == 0 && int(e.Number) >= p.options.Entries/2 {
			p.seeded.Change, p.seeded.RequestID, p.seeded.Attempt = e.Number, e.RequestID, attempt
		}
	}
}

func (p *past) refuse(e *entry) {
	codes := []struct {
		code int64
		info string
	}{{60020, "package expired"}, {70009, "sig verify failed"}, {60007, "rate limit"}, {60011, "sdkappid is invalid"}}
	c := codes[p.random.IntN(len(codes))]
	e.Outcome, e.ActionStatus, e.ErrorCode, e.ErrorInfo = store.Refused, "FAIL", &c.code, c.info
}

func (p *past) drift(e *entry, a *app, found int) {
	took, code := 40+p.random.Int64N(90), int64(0)
	e.Kind, e.Call, e.Actor, e.Previous, e.Found = store.KindDrift, string(tencent.CallGetCallback), store.Console, a.digests[a.current], a.digests[found]
	e.DurationMS, e.ErrorCode, e.ActionStatus, e.RequestID = &took, &code, "OK", requestID(uint64(e.Number), e.Number)
	p.compare(e, a, a.current, found)
}

func (p *past) compare(e *entry, a *app, from, to int) {
	key := [3]int{int(a.id), from, to}
	d, ok := p.differences[key]
	if !ok {
		x := changes.Compare(a.pool[from], a.pool[to])
		d = difference{x.Summary().String(), x.About()}
		p.differences[key] = d
	}
	e.Summary, e.about = d.summary, d.about
}

func pick(random *rand.Rand, list []string) string { return list[random.IntN(len(list))] }

// requestID has the documented shape; seed makes its front.
func requestID(seed uint64, sequence int64) string {
	return fmt.Sprintf("Id-%016x%016x-O-Seq-%d", mix(seed), mix(seed^0x5bd1e995), sequence)
}

// mix spreads numbers over 64 bits; no two share a result.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
