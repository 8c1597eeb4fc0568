.PHONY: run test check lock
run test check lock:
	@./run $@
