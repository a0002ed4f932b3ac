package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// wrk runs the closed model: eight connections of one thread, each asking again when it was answered. It returns answers a second.
func wrk(ctx context.Context, seconds int, address string, header ...string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds+60)*time.Second)
	defer cancel()
	args := []string{"-t1", "-c8", fmt.Sprintf("-d%ds", seconds), "--timeout", "30s"}
	for _, h := range header {
		args = append(args, "-H", h)
	}
	out, err := exec.CommandContext(ctx, "wrk", append(args, address)...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("running wrk: %w: %s", err, out)
	}
	return readWrk(string(out))
}

var wrkRate = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)

// readWrk reads the rate; a run with faults has none.
func readWrk(out string) (float64, error) {
	if strings.Contains(out, "Non-2xx") || strings.Contains(out, "Socket errors") {
		return 0, fmt.Errorf("wrk met faults:\n%s", out)
	}
	m := wrkRate.FindStringSubmatch(out)
	if m == nil {
		return 0, errors.New("wrk prints no rate")
	}
	return strconv.ParseFloat(m[1], 64)
}

// openModel sends requests at a fixed rate, whether or not earlier ones were answered. A latency counts from the moment
// that the request was planned for, so that a stall shows in all that wait behind it.
func openModel(ctx context.Context, n int, rate float64, client *http.Client, address, cookies string) ([]time.Duration, error) {
	took, faults := make([]time.Duration, n), make([]error, n)
	var flight sync.WaitGroup
	begin := time.Now().Add(50 * time.Millisecond)
	for i := range n {
		planned := begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		wait(ctx, time.Until(planned))
		if ctx.Err() != nil {
			break
		}
		flight.Go(func() {
			faults[i] = ask(ctx, client, address, cookies)
			took[i] = time.Since(planned)
		})
	}
	flight.Wait()
	return took, errors.Join(ctx.Err(), first(faults))
}

func ask(ctx context.Context, client *http.Client, address, cookies string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Cookie", cookies)
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusSeeOther {
		return fmt.Errorf("%s answers %d", r.URL.Path, answer.StatusCode)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

func first(faults []error) error {
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
}

// percentile is the smallest value that a share of all does not exceed, in milliseconds.
func percentile(list []time.Duration, share float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	i := int(math.Ceil(share*float64(len(sorted)))) - 1
	return milliseconds(sorted[max(i, 0)])
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
