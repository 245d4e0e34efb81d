module github.com/nextai-agent/platform/packages/service-kit-go

go 1.26.0
