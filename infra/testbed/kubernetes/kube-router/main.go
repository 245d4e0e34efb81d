// Command kube-router enforces NetworkPolicies with iptables and ipset, and does nothing else: neither routes nor
// Services, whose controllers (BGP, IPVS, the clouds' SDKs) are not linked.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/spf13/pflag"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

func main() {
	klog.InitFlags(nil)
	config := options.NewKubeRouterConfig()
	config.AddFlags(pflag.CommandLine)
	pflag.Parse()
	// The health check waits for a sign of life from every controller that is on.
	config.RunFirewall, config.RunRouter, config.RunServiceProxy, config.RunLoadBalancer = true, false, false, false
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, flag.CommandLine, config); err != nil {
		fmt.Fprintf(os.Stderr, "kube-router: %s\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, flags *flag.FlagSet, config *options.KubeRouterConfig) error {
	if err := errors.Join(flags.Set("logtostderr", "true"), flags.Set("v", config.VLevel)); err != nil {
		return err
	}
	settings, err := clientcmd.BuildConfigFromFlags(config.Master, config.Kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(settings)
	if err != nil {
		return err
	}
	health, err := healthcheck.NewHealthController(config)
	if err != nil {
		return err
	}

	shared := informers.NewSharedInformerFactory(client, 0)
	pods := shared.Core().V1().Pods().Informer()
	policies := shared.Networking().V1().NetworkPolicies().Informer()
	namespaces := shared.Core().V1().Namespaces().Informer()
	shared.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), pods.HasSynced, policies.HasSynced, namespaces.HasSynced) {
		return errors.New("ended before the API server had listed pods, namespaces and policies")
	}

	tables, sets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return fmt.Errorf("preparing iptables and ipset: %w", err)
	}
	var setsLock sync.Mutex
	controller, err := netpol.NewNetworkPolicyController(client, config, pods, policies, namespaces, &setsLock, tables, sets)
	if err != nil {
		return err
	}
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods: controller.PodEventHandler, policies: controller.NetworkPolicyEventHandler, namespaces: controller.NamespaceEventHandler,
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}

	var group sync.WaitGroup
	beats := make(chan *healthcheck.ControllerHeartbeat, 10)
	group.Add(3)
	go health.RunServer(ctx.Done(), &group)
	health.SetAlive()
	go health.RunCheck(beats, ctx.Done(), &group)
	go controller.Run(beats, ctx.Done(), &group)

	<-ctx.Done()
	ended := make(chan struct{})
	go func() { group.Wait(); close(ended) }()
	select { // a sync in progress may take its time; nobody waits for it
	case <-ended:
	case <-time.After(2 * time.Second):
	}
	return nil
}
