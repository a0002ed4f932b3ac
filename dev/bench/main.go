// Bench measures the real binary over HTTP on seeded databases, beside baselines of the same run, and writes
// docs/performance.md. It needs wrk, and for PostgreSQL a server that CALLBOARD_TEST_POSTGRES names.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	entries  []int
	database string
	seconds  int
	out      string
	only     string
	json     bool
	command  string // as typed, for the report
}

// Sizes that are measured when nothing else is said.
const (
	usualSizes = "10k,100k,1M"
	fullSizes  = "10k,100k,1M,10M"
	report     = "docs/performance.md"
	fullBytes  = 20 << 30
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == bareCommand {
		os.Exit(serveBare(os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // stop has run
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	o, err := readOptions(args)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o, stdout)
	if err != nil {
		return err
	}
	err = errors.Join(b.measureAll(ctx), b.close())
	if err != nil || o.out == "" {
		return err
	}
	return os.WriteFile(o.out, []byte(b.report()), 0o644)
}

func readOptions(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	sizes := f.String("entries", "", "changes in the database, such as "+usualSizes+" (the default)")
	full := f.Bool("full", false, "measure ten million changes too, which needs 20 GB of free disk")
	f.StringVar(&o.database, "database", "both", "sqlite, postgres or both; postgres is the server that "+postgresVariable+" names")
	f.IntVar(&o.seconds, "seconds", 5, "how long one measurement takes")
	f.StringVar(&o.out, "out", report, "file of the report; empty for none. With -only none is written unless it is named")
	f.StringVar(&o.only, "only", "", "measure only what has this in its name")
	f.BoolVar(&o.json, "json", false, "write each figure as a line of JSON to stdout")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	named := false
	f.Visit(func(x *flag.Flag) { named = named || x.Name == "out" })
	if o.only != "" && !named {
		o.out = ""
	}
	o.command = command(f)
	text := *sizes
	if text == "" {
		text = usualSizes
		if *full {
			text = fullSizes
		}
	}
	var err error
	if o.entries, err = readSizes(text); err != nil {
		return o, err
	}
	return o, o.check(f)
}

// command is what to type for the same figures; where the report goes changes none of them.
func command(f *flag.FlagSet) string {
	text := "go run ./dev/bench"
	f.Visit(func(x *flag.Flag) {
		if x.Name != "out" && x.Name != "json" {
			text += fmt.Sprintf(" -%s=%s", x.Name, x.Value)
		}
	})
	return text
}

func (o options) check(f *flag.FlagSet) error {
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("%q is not a flag", f.Arg(0))
	case o.seconds < 1 || o.seconds > 600:
		return errors.New("-seconds is from 1 to 600")
	case o.database != "sqlite" && o.database != "postgres" && o.database != "both":
		return errors.New("-database is sqlite, postgres or both")
	case o.database == "postgres" && os.Getenv(postgresVariable) == "":
		return fmt.Errorf("-database postgres needs %s to name a server", postgresVariable)
	}
	if o.entries[len(o.entries)-1] < 10_000_000 {
		return nil
	}
	return enoughDisk(os.TempDir())
}

func enoughDisk(folder string) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return fmt.Errorf("looking for free disk: %w", err)
	}
	if free := uint64(fs.Bavail) * uint64(fs.Bsize); free < fullBytes { //nolint:unconvert // other systems have other types
		return fmt.Errorf("ten million changes need 20 GB of free disk in the folder of temporary files, which has %d GB; TMPDIR chooses another", free>>30)
	}
	return nil
}

// readSizes reads "10k,1M", smallest first.
func readSizes(text string) ([]int, error) {
	var sizes []int
	for part := range strings.SplitSeq(text, ",") {
		number, unit := strings.TrimRight(part, "kM"), 1
		switch strings.TrimPrefix(part, number) {
		case "k":
			unit = 1_000
		case "M":
			unit = 1_000_000
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n*unit < 1000 || n*unit > 20_000_000 {
			return nil, fmt.Errorf("-entries: %q is not a size from 1k to 20M", part)
		}
		if n *= unit; len(sizes) > 0 && n <= sizes[len(sizes)-1] {
			return nil, errors.New("-entries: smaller sizes come first")
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// note tells on stderr what happens now.
func note(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}
