package assets_test

import (
	"testing"

	"go.uber.org/goleak"

	"callboard/e2e/browser"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(browser.Tests{M: m}) }
