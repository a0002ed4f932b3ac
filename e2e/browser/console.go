package browser

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/chromedp"
)

// Message is one thing the browser reported about a page.
type Message struct {
	Kind string // "log", "info", "warning", "error", "exception", "dialog", …
	Text string // a dialog's begins with its type: "beforeunload: ", "alert: ", …
	URL  string // where it came from; may be empty
}

// String gives all of it in one line.
func (m Message) String() string {
	if m.URL == "" {
		return m.Kind + ": " + m.Text
	}
	return m.Kind + ": " + m.Text + " (" + m.URL + ")"
}

// console keeps what a page reported and no one has taken.
type console struct {
	mu     sync.Mutex
	list   []Message
	marks  chan string   // each mark that came through
	closed chan struct{} // the window is gone
	marked int           // how many marks were sent
}

// mark begins the texts that flush writes to the console itself.
const mark = "callboard: all messages before this one have come: "

// subscribe begins to collect; it ends with the context.
func subscribe(ctx context.Context) *console {
	c := &console{marks: make(chan string), closed: make(chan struct{})}
	messages := chromedp.Console(ctx)
	go func() {
		defer close(c.closed)
		for m, err := range messages {
			if err != nil {
				return
			}
			if !strings.HasPrefix(m.Text, mark) {
				c.add(Message{Kind: string(m.Type), Text: m.Text, URL: m.URL})
				continue
			}
			select {
			case c.marks <- m.Text:
			case <-ctx.Done():
				return
			}
		}
	}()
	return c
}

func (c *console) add(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, m)
}

// all gives a copy of what has been collected.
func (c *console) all() []Message {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

// take removes the messages that contain the text and gives them.
func (c *console) take(text string) (taken []Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = slices.DeleteFunc(c.list, func(m Message) bool {
		hit := strings.Contains(m.String(), text)
		if hit {
			taken = append(taken, m)
		}
		return hit
	})
	return taken
}

// flush waits until everything reported so far has been collected: it writes a message itself and waits for that.
func (p *Page) flush() {
	ctx, done := p.within()
	defer done()
	p.console.marked++
	wanted := fmt.Sprint(mark, p.console.marked)
	if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void]("console.debug("+quote(wanted)+")")); err != nil {
		return // the window is gone, so nothing more comes
	}
	for {
		select {
		case got := <-p.console.marks:
			if got == wanted {
				return
			}
		case <-p.console.closed:
			return
		case <-ctx.Done():
			return
		}
	}
}

// Messages gives what the browser has reported and the test has not taken.
func (p *Page) Messages() []Message {
	p.flush()
	return p.console.all()
}

// Take gives the messages that contain a text and has them forgotten, so that they do not fail the test. The text is
// looked for in kind, text and address; the empty text takes all. That nothing was taken is for the caller to judge.
func (p *Page) Take(text string) []Message {
	p.flush()
	return p.console.take(text)
}
