// SPDX-License-Identifier: GPL-2.0
/*
 * p2pdma has a list of host bridges that forward peer-to-peer, and that of QEMU's
 * "virt" is not on it although it does. This one says that it is one that is.
 */
#include <linux/module.h>
#include <linux/pci.h>

static int __init allow_bridge_init(void)
{
	struct pci_dev *first;
	struct pci_bus *bus = NULL;

	while ((bus = pci_find_next_bus(bus))) {
		first = list_first_entry_or_null(&bus->devices, struct pci_dev,
						 bus_list);
		/* All devices of this vendor are. */
		if (first)
			first->vendor = PCI_VENDOR_ID_GOOGLE;
	}
	return 0;
}
module_init(allow_bridge_init);

MODULE_DESCRIPTION("Have p2pdma trust the host bridge");
MODULE_LICENSE("GPL");
