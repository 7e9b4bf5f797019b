/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SIM_DMA_H
#define SIM_DMA_H

struct device *sim_dma_dev(struct net_device *dev);
struct sk_buff *sim_receive(struct nsim_rq *rq, struct sk_buff *skb);
struct sk_buff *sim_transmit(struct net_device *dev, struct sk_buff *skb);
int sim_dma_init(void);
void sim_dma_exit(void);

#endif
