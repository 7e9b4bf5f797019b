// SPDX-License-Identifier: GPL-2.0
// Only parsed, never compiled. The list of the next one is another list.

static void all_of_them(struct imports *imps)
{
	struct import *imp, *next;

	list_for_each_entry_safe(imp, next, &imps->list, node) {
		if (imp->list)
			dma_buf_list_unmap(imp->attach, imp->list);
		kfree(imp);
	}
}

static void all_of_an_array(struct imports *imps)
{
	int i;

	for (i = 0; i < imps->nr; i++) {
		if (imps->imp[i].list)
			dma_buf_list_unmap(imps->imp[i].attach, imps->imp[i].list);
		imps->imp[i].list = NULL;
	}
}

static void all_of_an_array_backwards(struct import **imp, int i)
{
	while (i--) {
		dma_buf_list_unmap(imp[i]->attach, imp[i]->list);
		imp[i]->list = NULL;
	}
}

static void all_of_an_xarray(struct imports *imps)
{
	struct import *imp;
	unsigned long index;

	xa_for_each(&imps->xa, index, imp) {
		dma_buf_list_unmap_unlocked(imp->attach, imp->list);
		dma_buf_detach(imp->dmabuf, imp->attach);
		kfree(imp);
	}
}

static void all_that_are_chained(struct import *imp)
{
	for (; imp; imp = imp->next)
		if (imp->list) {
			dma_buf_list_unmap(imp->attach, imp->list);
			imp->list = NULL;
		}
}

static void all_up_to(struct import *imp, struct import *end)
{
	for (; imp < end; imp++) {
		dma_buf_list_unmap(imp->attach, imp->list);
		imp->list = NULL;
	}
}

static void one_many_times(struct dma_buf_attachment *attach,
			   struct dma_buf_list *list, int n)
{
	int i;

	for (i = 0; i < n; i++)
		dma_buf_list_unmap(attach, list);		/* match: on line 69 */
}

static void used_before_the_next(struct imports *imps)
{
	struct import *imp, *next;

	list_for_each_entry_safe(imp, next, &imps->list, node) {
		dma_buf_list_unmap(imp->attach, imp->list);
		use(dma_buf_list_npages(imp->list));		/* match: after it was unmapped */
		kfree(imp);
	}
}

static void all_under_a_lock(struct imports *imps)
{
	struct import *imp;

	scoped_guard(mutex, &imps->lock)
	list_for_each_entry(imp, &imps->list, node) {
		dma_buf_list_unmap(imp->attach, imp->list);
		imp->list = NULL;
	}
}
