package main

import (
	"bytes"
	"errors"
	"io"
)

// count reads to the end and tells how much there was.
func count(r io.Reader) (int, error) {
	n, err := io.Copy(io.Discard, r)
	return int(n), err
}

// countLines reads to the end and tells how many lines there were, those before an error too.
func countLines(r io.Reader) (int, error) {
	buffer, lines := make([]byte, 64<<10), 0
	for {
		n, err := r.Read(buffer)
		lines += bytes.Count(buffer[:n], []byte("\n"))
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
	}
}
